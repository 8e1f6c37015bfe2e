// lockstep-release: RELEASE
const meta = name => document.querySelector(`meta[name="lockstep-${name}"]`).content;

// view is every release that this page has to do with.
window.view = (async () => {
    const api = await fetch(`${meta('api')}/catalog`);
    const style = getComputedStyle(document.documentElement).getPropertyValue('--release').trim();
    const view = { page: meta('release'), script: 'RELEASE', style, api: api.headers.get('x-lockstep-release') };
    document.querySelector('#seen').textContent = JSON.stringify(view);
    return view;
})();

// late loads a part of the page that it did not need before, as pages of many parts do.
window.late = async part => {
    const path = `/assets/part-${part}.RELEASE.js`;
    const { release } = await import(path);
    const { headers } = await fetch(path, { cache: 'no-store' });
    return { release, outdated: headers.get('x-lockstep-outdated') || '' };
};

// ask tells which release a reload would give, without one.
window.ask = async () => {
    const { headers } = await fetch(location.href, { method: 'HEAD', cache: 'no-store' });
    return { release: headers.get('x-amz-meta-lockstep-release'), outdated: headers.get('x-lockstep-outdated') || '' };
};
