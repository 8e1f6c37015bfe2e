// Lockstep's router: one CloudFront Function (cloudfront-js-2.0) for viewer-request and viewer-response; Lambda@Edge
// runs the same handler behind lambda-edge.js.
// A document is routed by the viewer's bucket against the weight. Everything else follows the
// environment that served the document, so that no page is put together from two releases.
import cf from 'cloudfront';
import crypto from 'crypto';

// Filled in when it is built.
const pages = 'folder'; // what a path without a file name asks for: 'folder' is /about/index.html, 'single' the one /index.html
const lastResort = 'a'; // where a viewer without a cookie goes while nothing can be read: the origin that the behaviour names
const cookieAttributes = 'Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax';

// The cookie is <environment>.<id>, which environment served the viewer's document and who they are, and for a
// tester .<secret> after it.
const cookieLength = 14;
const cookieLimit = 79;

// Instructions are counted here (see bench): a call costs as much as five comparisons, so what most requests
// pass is written out.

const asJSON = { format: 'json' };

// What a page loads under these destinations is a file and never a page.
const isAsset = { audio: true, font: true, image: true, manifest: true, script: true, style: true, track: true, video: true };

// An asset that its environment does not have belongs to a page from the other one: assets carry the hash of their
// content in their names. A document has one origin, and is never mixed.
const assetOrigins = {
    a: { originIds: [{ originId: 'site-a' }, { originId: 'site-b' }], failoverCriteria: { statusCodes: [403] } },
    b: { originIds: [{ originId: 'site-b' }, { originId: 'site-a' }], failoverCriteria: { statusCodes: [403] } },
};

async function handler(event) {
    const request = event.request;
    const response = event.response;
    const headers = request.headers;
    const header = headers['sec-fetch-dest'];
    if (response) {
        // The object itself tells which environment served it. A document's keeps the viewer. What else comes from
        // where the viewer's page does not was asked by a page that is out of date.
        const stamp = response.headers['x-amz-meta-lockstep-env'];
        const served = stamp ? stamp.value : '';
        if (served !== 'a' && served !== 'b') {
            return response;
        }
        const cookie = readCookie(request);
        if (cookie !== '' && cookie[0] === served) {
            return response;
        }
        if ((header && header.value === 'document') || opensPage(request)) {
            const kept = { value: served + (cookie === '' ? '.' + viewerId(event, '') : cookie.slice(1)), attributes: cookieAttributes };
            const cookies = response.cookies;
            if (cookies) {
                cookies.lockstep = kept;
            } else {
                response.cookies = { lockstep: kept };
            }
        } else if (cookie !== '') {
            response.headers['x-lockstep-outdated'] = { value: 'true' };
        }
        return response;
    }
    const destination = header ? header.value : '';
    const asset = destination !== 'document' && isAsset[destination] === true;
    if (asset) {
        // Most requests are this, the asset of an open page: the page's environment is all there is to know.
        const cookie = request.cookies.lockstep;
        const value = cookie ? cookie.value : '';
        const page = value[0];
        const origins = assetOrigins[page];
        if (origins && value.length === cookieLength) {
            headers['x-lockstep-env'] = { value: page };
            cf.createRequestOriginGroup(origins);
            return request;
        }
    }

    const cookie = readCookie(request);
    const page = cookie === '' ? '' : cookie[0];
    // A prefetch belongs to the page that wants it, as a frame does.
    const document = destination === 'document' ? !headers['sec-purpose'] : opensPage(request);
    // HEAD is how an open page asks which release it would get now; it moves nobody.
    const byWeight = document || (!asset && request.method === 'HEAD');
    let environment = page;
    if (byWeight || page === '') {
        let route = null;
        try {
            const value = await cf.kvs().get('route', asJSON);
            route = value;
        } catch (e) {
            // Missing or not JSON: choose() knows what is safe without it.
        }
        const secret = document ? request.querystring['lockstep-preview'] : undefined;
        const answer = secret ? preview(route, event, cookie, secret.value) : null;
        if (answer) {
            return answer;
        }
        environment = choose(route, event, cookie, byWeight);
    }

    // Selecting an origin does not change the cache key: this header does, so a viewer's own is never kept.
    headers['x-lockstep-env'] = { value: environment };
    if (byWeight && environment !== page) {
        // A 304 carries no metadata, and viewer-response could not tell the viewer where they are now.
        delete headers['if-none-match'];
        delete headers['if-modified-since'];
    }
    const path = asset ? request.uri : objectPath(request.uri);
    request.uri = path;
    if (byWeight || destination === 'document' || (!asset && path.endsWith('.html'))) {
        cf.selectRequestOriginById('site-' + environment);
    } else {
        cf.createRequestOriginGroup(assetOrigins[environment]);
    }
    return request;
}

// readCookie gives a cookie that has its form, or nothing. Whoever forges one chooses for themselves only.
function readCookie(request) {
    const cookie = request.cookies.lockstep;
    if (cookie) {
        const value = cookie.value;
        const length = value.length;
        const first = value[0];
        if ((length === cookieLength || (length > cookieLength + 1 && length <= cookieLimit && value[cookieLength] === '.')) &&
            (first === 'a' || first === 'b')) {
            return value;
        }
    }
    return '';
}

// viewerId is the cookie's, or a new one: both events share the request's id, so both cut the same from it.
function viewerId(event, cookie) {
    return cookie === '' ? event.context.requestId.slice(0, 12) : cookie.slice(2, cookieLength);
}

// opensPage tells a page that a viewer opens from what an open page asks for, where the browser does not say it is a
// document. Frames belong to the page that wants them: routed anew, they would move the cookie away under it.
function opensPage(request) {
    const headers = request.headers;
    const header = headers['sec-fetch-dest'];
    if (header) {
        // A service worker through which pages go hides that they are documents.
        const mode = headers['sec-fetch-mode'];
        return mode ? mode.value === 'navigate' && header.value === 'empty' && !headers['sec-purpose'] : false;
    }
    const accept = headers.accept;
    if (accept) {
        return accept.value.includes('text/html');
    }
    const uri = request.uri;
    return uri.lastIndexOf('.') <= uri.lastIndexOf('/') || uri.endsWith('.html');
}

// choose picks the environment by the route. A route that makes no sense moves nobody who has been served.
function choose(route, event, cookie, byWeight) {
    const active = route ? route.active : '';
    const fallback = route ? route.fallback : '';
    const weight = route ? route.weight : 0;
    const release = route ? route.release : '';
    if (!((active === 'a' && fallback === 'b') || (active === 'b' && fallback === 'a')) ||
        typeof weight !== 'number' || !(weight >= 0 && weight <= 10000) || typeof release !== 'string') {
        return cookie === '' ? (fallback === 'a' || fallback === 'b' ? fallback : lastResort) : cookie[0];
    }
    if (!byWeight) {
        return fallback;
    }
    if (cookie.length > cookieLength && opensPreview(route, cookie.slice(cookieLength + 1))) {
        return active;
    }
    // A weight that decides for all needs no hash.
    if (weight === 0 || weight === 10000) {
        return weight === 0 ? fallback : active;
    }
    // The bucket, 0 to 9999, is of the viewer and the release, so that nobody is the guinea pig of every release.
    const hash = crypto.createHash('md5').update(viewerId(event, cookie) + '.' + release).digest();
    return hash.readUInt32BE(0) % 10000 < weight ? active : fallback;
}

// opensPreview compares hashes: how long that takes tells nothing about the secret, and the route keeps none.
function opensPreview(route, secret) {
    return crypto.createHash('sha256').update(secret).digest('hex') === route.preview;
}

// preview answers ?lockstep-preview=<secret>, and =off for a tester, with a cookie and the same address without
// the query, so that the secret stays in no history. Any other value is passed over.
function preview(route, event, cookie, secret) {
    const environment = choose(route, event, cookie, false);
    let kept = (cookie === '' ? environment : cookie[0]) + '.' + viewerId(event, cookie);
    if (secret !== 'off' || cookie.length <= cookieLength) {
        if (!route || secret === '' || secret.length > cookieLimit - cookieLength - 1 || !opensPreview(route, secret)) {
            return null;
        }
        kept += '.' + secret;
    }
    return {
        statusCode: 302,
        statusDescription: 'Found',
        headers: { location: { value: '?' }, 'cache-control': { value: 'no-store' } },
        cookies: { lockstep: { value: kept, attributes: cookieAttributes } },
    };
}

// objectPath is the object behind a path: the bucket holds files, and what lies under /.well-known may have
// no extension.
function objectPath(uri) {
    const dot = uri.lastIndexOf('.');
    if (dot >= 0 && (uri[1] === '.' || dot > uri.lastIndexOf('/'))) {
        return uri;
    }
    if (pages === 'single') {
        return '/index.html';
    }
    return uri[uri.length - 1] === '/' ? uri + 'index.html' : uri + '/index.html';
}
