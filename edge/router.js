// Lockstep's router: one CloudFront Function (cloudfront-js-2.0) for viewer-request and viewer-response.
// A document is routed by the viewer's bucket against the weight. Everything else follows the
// environment that served the document, so that no page is put together from two releases.
import cf from 'cloudfront';
import crypto from 'crypto';

// What a path without a file extension asks for: 'folder' is /about/index.html, 'single' the one /index.html.
const pages = 'folder';

// Where a viewer without a cookie goes while nothing can be read: the origin that the behaviour names.
const lastResort = 'a';

const cookieName = 'lockstep';
const cookieAttributes = 'Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax';
const idLength = 12;

async function handler(event) {
    const request = event.request;
    const cookie = readCookie(request);
    const document = isDocument(request);
    if (event.context.eventType === 'viewer-response') {
        if (document) {
            remember(event, cookie);
        }
        return event.response;
    }

    const page = cookie === '' ? '' : cookie[0];
    let environment = page;
    if (document || page === '') {
        let route = null;
        try {
            const value = await cf.kvs().get('route', { format: 'json' });
            route = value;
        } catch (e) {
            // Missing or not JSON: choose() knows what is safe without it.
        }
        environment = choose(route, event, cookie, document);
    }

    // Selecting an origin does not change the cache key: this header does, so a viewer's own is never kept.
    request.headers['x-lockstep-env'] = { value: environment };
    if (document && environment !== page) {
        // A 304 carries no metadata, and viewer-response could not tell the viewer where they are now.
        delete request.headers['if-none-match'];
        delete request.headers['if-modified-since'];
    }
    request.uri = objectPath(request.uri);
    cf.selectRequestOriginById('site-' + environment);
    return request;
}

// readCookie gives the cookie, <environment>.<id>: which environment served the viewer's document, and who they are.
function readCookie(request) {
    const cookie = request.cookies[cookieName];
    if (!cookie) {
        return '';
    }
    const value = cookie.value;
    const sound = value.length === 2 + idLength && value[1] === '.' && (value[0] === 'a' || value[0] === 'b');
    return sound ? value : '';
}

// viewerId is the cookie's, or a new one: both events share the request's id, so both cut the same from it.
function viewerId(event, cookie) {
    return cookie === '' ? event.context.requestId.slice(0, idLength) : cookie.slice(2);
}

// isDocument tells a page that a viewer opens from what an open page asks for. Frames and prefetches belong
// to the page that wants them: routed anew, they would move the cookie away under it.
function isDocument(request) {
    const destination = request.headers['sec-fetch-dest'];
    if (destination) {
        return destination.value === 'document' && !request.headers['sec-purpose'];
    }
    const accept = request.headers.accept;
    if (accept) {
        return accept.value.includes('text/html');
    }
    return !isFile(request.uri) || request.uri.endsWith('.html');
}

// choose picks the environment by the route. A route that makes no sense moves nobody who has been served.
function choose(route, event, cookie, document) {
    const fallback = route && isEnvironment(route.fallback) ? route.fallback : '';
    if (fallback === '' || !isEnvironment(route.active) || route.active === fallback ||
        typeof route.release !== 'string' || typeof route.weight !== 'number' || !(route.weight >= 0 && route.weight <= 10000)) {
        return cookie === '' ? fallback || lastResort : cookie[0];
    }
    return document && isActive(route, event, cookie) ? route.active : fallback;
}

function isEnvironment(value) {
    return value === 'a' || value === 'b';
}

// isActive holds the viewer's bucket, 0 to 9999, against the weight. The release is hashed too, so that nobody
// is the guinea pig of every release; a weight that decides for all needs no hash.
function isActive(route, event, cookie) {
    if (route.weight === 0 || route.weight === 10000) {
        return route.weight > 0;
    }
    const hash = crypto.createHash('md5').update(viewerId(event, cookie) + '.' + route.release).digest();
    return hash.readUInt32BE(0) % 10000 < route.weight;
}

// remember keeps the viewer with the environment that served the document, as the object itself tells.
function remember(event, cookie) {
    const response = event.response;
    const served = response.headers['x-amz-meta-lockstep-env'];
    if (!served || !isEnvironment(served.value) || (cookie !== '' && served.value === cookie[0])) {
        return;
    }
    if (!response.cookies) {
        response.cookies = {};
    }
    response.cookies[cookieName] = { value: served.value + '.' + viewerId(event, cookie), attributes: cookieAttributes };
}

// objectPath is the object behind a path: the bucket holds files, and what lies under /.well-known may
// have no extension.
function objectPath(uri) {
    const folder = uri[uri.length - 1] === '/';
    if (!folder && (isFile(uri) || uri.startsWith('/.well-known/'))) {
        return uri;
    }
    if (pages === 'single') {
        return '/index.html';
    }
    return folder ? uri + 'index.html' : uri + '/index.html';
}

function isFile(uri) {
    return uri.lastIndexOf('.') > uri.lastIndexOf('/');
}
