// What all drawings share: making nodes, the colours of releases, and leaving alone what has not changed.

export const byId = id => document.getElementById(id);

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// once calls build only where the data differs from what the node was last built of.
export function once(node, data, build) {
  const key = JSON.stringify([data, colours]);
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  build(node);
}

let colours = {};

export function setColours(ofReleases) { colours = ofReleases; }

// colour is the class that gives a release its colour, the same all over the page.
export function colour(release) {
  return release in colours ? `r${colours[release]}` : 'r-none';
}

export function chip(release) {
  return element('span', `chip ${colour(release)}`, release || '–');
}

export const number = n => n.toLocaleString('en');

export const percent = share => `${+(share / 100).toFixed(1)}\u202f%`;

export function seconds(n) {
  n = Math.max(0, Math.round(n));
  if (n < 90) return `${n}\u202fs`;
  const minutes = Math.floor(n / 60);
  return minutes < 90 ? `${minutes}:${String(n % 60).padStart(2, '0')}\u202fmin` : `${(n / 3600).toFixed(1)}\u202fh`;
}
