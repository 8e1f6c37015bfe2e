// Random per request: viewers are not remembered, so an open page is mixed from both environments.
import cf from 'cloudfront';

async function handler(event) {
    if (event.response) {
        return event.response;
    }
    const request = event.request;
    const kvs = cf.kvs();
    let weight = 0;
    try {
        const value = await kvs.get('weight', { format: 'json' });
        weight = value.percent;
    } catch (e) {
        weight = 0;
    }
    const environment = Math.random() * 100 < weight ? 'b' : 'a';
    request.headers['x-environment'] = { value: environment };
    if (!request.uri.includes('.')) {
        request.uri = request.uri.endsWith('/')
            ? request.uri + 'index.html'
            : request.uri + '/index.html';
    }
    cf.selectRequestOriginById('site-' + environment);
    return request;
}
