// A pinned environment: a cookie names the environment that the viewer was sent to first. They stay
// there until the environment ends, whatever the weight is. It takes three reads in each event.
import cf from 'cloudfront';

async function handler(event) {
    const request = event.request;
    const kvs = cf.kvs();
    const active = await kvs.get('active');
    const fallback = await kvs.get('fallback');
    const percent = await kvs.get('percent');
    const cookie = request.cookies.environment;
    let environment = cookie ? cookie.value : '';
    if (environment !== active && environment !== fallback) {
        const seed = event.context.requestId;
        let hash = 0;
        for (let i = 0; i < seed.length; i++) {
            hash = (hash * 31 + seed.charCodeAt(i)) % 10007;
        }
        environment = hash % 100 < Number(percent) ? active : fallback;
    }
    if (event.response) {
        event.response.cookies.environment = {
            value: environment, attributes: 'Path=/; Secure; Max-Age=3600',
        };
        return event.response;
    }
    if (!request.uri.includes('.')) {
        request.uri = request.uri.endsWith('/')
            ? request.uri + 'index.html'
            : request.uri + '/index.html';
    }
    cf.selectRequestOriginById('site-' + environment);
    return request;
}
