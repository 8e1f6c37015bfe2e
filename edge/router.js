// Lockstep's router: one CloudFront Function (cloudfront-js-2.0) for viewer-request and viewer-response.
// A document is routed by the viewer's bucket against the weight. Everything else follows the
// environment that served the document, so that no page is put together from two releases.
import cf from 'cloudfront';
import crypto from 'crypto';

// What a path without a file extension asks for: 'folder' is /about/index.html, 'single' the one /index.html.
const pages = 'folder';

// Where a viewer without a cookie goes while nothing can be read: the origin that the behaviour names.
const lastResort = 'a';

const fullWeight = 10000;
const cookieName = 'lockstep';
const cookiePattern = /^([ab])\.([\w+\/=-]{12})$/;
const cookieAttributes = 'Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax';

async function handler(event) {
    const request = event.request;
    const viewer = recognize(event);
    const document = isDocument(request);
    if (event.context.eventType === 'viewer-response') {
        if (document) {
            remember(viewer, event.response);
        }
        return event.response;
    }

    let environment = viewer.environment;
    if (document || environment === '') {
        let route = null;
        try {
            const value = await cf.kvs().get('route', { format: 'json' });
            route = value;
        } catch (e) {
            // Missing or not JSON: choose() knows what is safe without it.
        }
        environment = choose(route, viewer, document);
    }

    // Selecting an origin does not change the cache key: this header does, so a viewer's own is never kept.
    request.headers['x-lockstep-env'] = { value: environment };
    if (document && environment !== viewer.environment) {
        // A 304 carries no metadata, and viewer-response could not tell the viewer where they are now.
        delete request.headers['if-none-match'];
        delete request.headers['if-modified-since'];
    }
    request.uri = objectPath(request.uri);
    cf.selectRequestOriginById('site-' + environment);
    return request;
}

// recognize tells who asks and which environment served their document. Both events share the request's
// id, so both give a new viewer the same one.
function recognize(event) {
    const cookies = event.request.cookies;
    const cookie = cookies ? cookies[cookieName] : undefined;
    const match = cookie ? cookiePattern.exec(cookie.value) : null;
    if (match === null) {
        return { id: event.context.requestId.slice(0, 12), environment: '' };
    }
    return { id: match[2], environment: match[1] };
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
    const name = fileName(request.uri);
    return !name.includes('.') || name.endsWith('.html');
}

// choose picks the environment by the route. A route that makes no sense moves nobody who has been served.
function choose(route, viewer, document) {
    const fallback = route && isEnvironment(route.fallback) ? route.fallback : '';
    if (!isRoute(route)) {
        return viewer.environment || fallback || lastResort;
    }
    return document && bucket(viewer.id, route) < route.weight ? route.active : fallback;
}

function isRoute(route) {
    return route && isEnvironment(route.active) && isEnvironment(route.fallback) && route.active !== route.fallback &&
        typeof route.weight === 'number' && route.weight >= 0 && route.weight <= fullWeight &&
        typeof route.release === 'string';
}

function isEnvironment(value) {
    return value === 'a' || value === 'b';
}

// bucket is 0 to 9999. The release is hashed too, so that nobody is the guinea pig of every release; a
// weight that decides for all needs no hash.
function bucket(id, route) {
    if (route.weight === 0 || route.weight === fullWeight) {
        return 0;
    }
    return crypto.createHash('md5').update(id + '.' + route.release).digest().readUInt32BE(0) % fullWeight;
}

// remember keeps the viewer with the environment that served the document, as the object itself tells.
function remember(viewer, response) {
    const served = response.headers['x-amz-meta-lockstep-env'];
    if (!served || !isEnvironment(served.value) || served.value === viewer.environment) {
        return;
    }
    if (!response.cookies) {
        response.cookies = {};
    }
    response.cookies[cookieName] = { value: served.value + '.' + viewer.id, attributes: cookieAttributes };
}

// objectPath is the object behind a path: the bucket holds files, and what lies under /.well-known may
// have no extension.
function objectPath(uri) {
    const name = fileName(uri);
    if (name.includes('.') || uri.startsWith('/.well-known/')) {
        return uri;
    }
    if (pages === 'single') {
        return '/index.html';
    }
    return name === '' ? uri + 'index.html' : uri + '/index.html';
}

function fileName(uri) {
    return uri.slice(uri.lastIndexOf('/') + 1);
}
