// A path from the store: one folder for everyone, changed for all at once. There is no ramp, and
// the next request of an open page gets the new release.
import cf from 'cloudfront';

async function handler(event) {
    if (event.response) {
        return event.response;
    }
    const request = event.request;
    let path = '';
    try {
        const value = await cf.kvs().get('path');
        path = value;
    } catch (e) {
        path = '/current';
    }
    let uri = request.uri;
    if (!uri.includes('.')) {
        uri = uri.endsWith('/') ? uri + 'index.html' : uri + '/index.html';
    }
    request.uri = path + uri;
    return request;
}
