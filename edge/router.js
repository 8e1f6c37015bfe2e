// Lockstep's router: one CloudFront Function (cloudfront-js-2.0) for viewer-request and
// viewer-response. Lambda@Edge runs the same handler behind lambda-edge.js.
// A document is routed by the viewer's bucket and the weight. Everything else follows the
// environment that served the document, so that no page is mixed from two releases.
import cf from 'cloudfront';
import crypto from 'crypto';

// The build fills in these constants.
// A path without a file name is /about/index.html ('folder') or the one /index.html ('single').
const pages = 'folder';
// The environment for viewers without a cookie while the route cannot be read.
const lastResort = 'a';
const cookieAttributes = 'Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax';

// The cookie is <environment>.<id>: which environment served the viewer's document, and the
// viewer's id. A tester's ends with .<secret>.
const cookieLength = 14;
const cookieLimit = 79;

// Instructions are counted here (see bench). A call costs as much as five comparisons, so the path
// that most requests take is inlined.

const asJSON = { format: 'json' };

// A request with one of these destinations asks for a file, never for a page.
const isAsset = {
    audio: true, font: true, image: true, manifest: true, script: true, style: true, track: true,
    video: true,
};

// An asset that its environment does not have belongs to a page of the other environment, since the
// names of assets contain the hash of their content. A document has one origin.
const assetOrigins = {
    a: {
        originIds: [{ originId: 'site-a' }, { originId: 'site-b' }],
        failoverCriteria: { statusCodes: [403] },
    },
    b: {
        originIds: [{ originId: 'site-b' }, { originId: 'site-a' }],
        failoverCriteria: { statusCodes: [403] },
    },
};

async function handler(event) {
    const request = event.request;
    const response = event.response;
    const headers = request.headers;
    const header = headers['sec-fetch-dest'];
    if (response) {
        // The object names the environment that served it. A document sets the viewer's. Any other
        // object from another environment than the viewer's was requested by an outdated page.
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
            const kept = {
                value: served + (cookie === '' ? '.' + viewerId(event, '') : cookie.slice(1)),
                attributes: cookieAttributes,
            };
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
        // Most requests are for an asset of an open page: the page's environment decides.
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
    // A prefetch follows the page that requests it, as a frame does.
    const document = destination === 'document' ? !headers['sec-purpose'] : opensPage(request);
    // With HEAD an open page asks which release a reload would get. It does not move the viewer.
    const byWeight = document || (!asset && request.method === 'HEAD');
    let environment = page;
    if (byWeight || page === '') {
        let route = null;
        try {
            const value = await cf.kvs().get('route', asJSON);
            route = value;
        } catch (e) {
            // The route is missing or not JSON: choose() decides without it.
        }
        const secret = document ? request.querystring['lockstep-preview'] : undefined;
        const answer = secret ? preview(route, event, cookie, secret.value) : null;
        if (answer) {
            return answer;
        }
        environment = choose(route, event, cookie, byWeight);
    }

    // Selecting an origin does not change the cache key, but this header does. It is always set, so
    // that a value from the viewer never counts.
    headers['x-lockstep-env'] = { value: environment };
    if (byWeight && environment !== page) {
        // A 304 has no metadata, so viewer-response could not set the viewer's environment.
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

// readCookie returns a well-formed cookie, or ''. A forged one affects only its own viewer.
function readCookie(request) {
    const cookie = request.cookies.lockstep;
    if (cookie) {
        const value = cookie.value;
        const length = value.length;
        const first = value[0];
        if ((length === cookieLength ||
            (length > cookieLength + 1 && length <= cookieLimit && value[cookieLength] === '.')) &&
            (first === 'a' || first === 'b')) {
            return value;
        }
    }
    return '';
}

// viewerId is the id in the cookie, or a new one. A new id is cut from the request's id, which both
// events of a request share.
function viewerId(event, cookie) {
    return cookie === '' ? event.context.requestId.slice(0, 12) : cookie.slice(2, cookieLength);
}

// opensPage tells whether the viewer opens a page by a request whose destination is not 'document'.
// A frame does not: routed on its own, it would change the cookie of the page around it.
function opensPage(request) {
    const headers = request.headers;
    const header = headers['sec-fetch-dest'];
    if (header) {
        // A page that a service worker fetches has the destination 'empty'.
        const mode = headers['sec-fetch-mode'];
        return mode
            ? mode.value === 'navigate' && header.value === 'empty' && !headers['sec-purpose']
            : false;
    }
    const accept = headers.accept;
    if (accept) {
        return accept.value.includes('text/html');
    }
    const uri = request.uri;
    return uri.lastIndexOf('.') <= uri.lastIndexOf('/') || uri.endsWith('.html');
}

// choose picks the environment by the route. An invalid route moves no viewer who has a cookie.
function choose(route, event, cookie, byWeight) {
    const active = route ? route.active : '';
    const fallback = route ? route.fallback : '';
    const weight = route ? route.weight : 0;
    const release = route ? route.release : '';
    if (!((active === 'a' && fallback === 'b') || (active === 'b' && fallback === 'a')) ||
        typeof weight !== 'number' || !(weight >= 0 && weight <= 10000) ||
        typeof release !== 'string') {
        return cookie === ''
            ? (fallback === 'a' || fallback === 'b' ? fallback : lastResort)
            : cookie[0];
    }
    if (!byWeight) {
        return fallback;
    }
    if (cookie.length > cookieLength && opensPreview(route, cookie.slice(cookieLength + 1))) {
        return active;
    }
    // At 0 and 10000 every viewer is routed alike, without a hash.
    if (weight === 0 || weight === 10000) {
        return weight === 0 ? fallback : active;
    }
    // The bucket, 0 to 9999, depends on the viewer and the release: no viewer is always first.
    const hash = crypto.createHash('md5').update(viewerId(event, cookie) + '.' + release).digest();
    return hash.readUInt32BE(0) % 10000 < weight ? active : fallback;
}

// opensPreview compares hashes, so that its timing reveals nothing about the secret.
function opensPreview(route, secret) {
    return crypto.createHash('sha256').update(secret).digest('hex') === route.preview;
}

// preview answers ?lockstep-preview=<secret>, and =off for a tester, with a cookie and a redirect
// to the address without the query: the secret stays in no history. Any other value gives null.
function preview(route, event, cookie, secret) {
    const environment = choose(route, event, cookie, false);
    let kept = (cookie === '' ? environment : cookie[0]) + '.' + viewerId(event, cookie);
    if (secret !== 'off' || cookie.length <= cookieLength) {
        if (!route || secret === '' || secret.length > cookieLimit - cookieLength - 1 ||
            !opensPreview(route, secret)) {
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

// objectPath is the object behind a path. A path without an extension is a page, except below
// /.well-known, where files may have none.
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
