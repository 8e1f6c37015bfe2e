// Lambda@Edge around the router's handler, which precedes this code in one module. It translates
// the events of Lambda@Edge into those of a CloudFront Function, and the answers back. serve is the
// handler of all three events.

// The build fills in these constants: Lambda@Edge has no environment variables, and it is deployed
// before the buckets that it serves from.
const region = 'us-east-1';
const routeAccess = 'arn:aws:s3:us-east-1:123456789012:accesspoint/lockstep-app';

// route caches the route for some seconds, and longer while it cannot be read: the last valid route
// is safer than none. If there is none yet, every request reads it. A read takes a second at most.
export const route = {
    keep: 5000,
    read: async () => {
        const { S3Client, GetObjectCommand } = await import('@aws-sdk/client-s3');
        route.client ??= new S3Client({ region, maxAttempts: 1 });
        const object = await route.client.send(
            new GetObjectCommand({ Bucket: routeAccess, Key: 'route.json' }),
            { abortSignal: AbortSignal.timeout(1000) });
        return object.Body.transformToString();
    },
    value: null,
    asked: -Infinity,
    get: async () => {
        if (Date.now() - route.asked >= route.keep) {
            route.asked = Date.now();
            try {
                route.value = JSON.parse(await route.read());
            } catch (e) {
                console.warn(`read route.json at ${routeAccess}: ${e}; using the last route`);
                if (route.value === null) {
                    route.asked = -Infinity;
                }
            }
        }
        return route.value;
    },
};

// The origins that the handler selected. One variable is enough: a Lambda serves one request at a
// time.
let selected = [];

const cf = {
    kvs: () => route,
    selectRequestOriginById: id => { selected = [id]; },
    createRequestOriginGroup: group => {
        selected = group.originIds.map(origin => origin.originId);
    },
};

// viewerRequest decides, since it runs for every request. origin-request runs only on cache misses.
async function viewerRequest(event) {
    const { config, request } = event.Records[0].cf;
    const answer = await handler(translate('viewer-request', config, request));
    if (answer.statusCode) {
        return {
            status: String(answer.statusCode),
            statusDescription: answer.statusDescription,
            headers: { ...wrap(answer.headers), 'set-cookie': setCookie(answer.cookies) },
        };
    }
    request.uri = answer.uri;
    request.headers['x-lockstep-env'] = wrap(answer.headers)['x-lockstep-env'];
    request.headers['x-lockstep-origins'] = [{ key: 'X-Lockstep-Origins', value: selected.join() }];
    for (const name of ['if-none-match', 'if-modified-since']) {
        if (!answer.headers[name]) {
            delete request.headers[name];
        }
    }
    return request;
}

// originRequest switches the bucket. The behaviour names an origin group of both buckets. When the
// first answers 403, CloudFront calls again with the second, site-b. Both origins have the names of
// both buckets in custom headers.
async function originRequest(event) {
    const { request } = event.Records[0].cf;
    const { s3 } = request.origin;
    const name = site => s3.customHeaders[`x-lockstep-${site}`]?.[0].value;
    const origins = request.headers['x-lockstep-origins'][0].value.split(',');
    const again = s3.domainName === name('site-b');
    const site = name(origins[again ? 1 : 0]);
    if (!site) {
        return { status: '403', statusDescription: 'Forbidden' };
    }
    Object.assign(s3, { domainName: site, region, authMethod: 'origin-access-identity' });
    request.headers.host = [{ key: 'Host', value: site }];
    return request;
}

// viewerResponse sets the cookie. At origin-response the cookie would be cached.
async function viewerResponse(event) {
    const { config, request, response } = event.Records[0].cf;
    const translated = translate('viewer-response', config, request);
    translated.response = {
        statusCode: Number(response.status), headers: flatten(response.headers), cookies: {},
    };
    const answer = await handler(translated);
    const cookies = setCookie(answer.cookies);
    if (cookies.length > 0) {
        response.headers['set-cookie'] = [...(response.headers['set-cookie'] || []), ...cookies];
    }
    if (answer.headers['x-lockstep-outdated']) {
        response.headers['x-lockstep-outdated'] = wrap(answer.headers)['x-lockstep-outdated'];
    }
    return response;
}

const events = {
    'viewer-request': viewerRequest,
    'origin-request': originRequest,
    'viewer-response': viewerResponse,
};

export function serve(event) {
    return events[event.Records[0].cf.config.eventType](event);
}

function translate(eventType, config, request) {
    const querystring = pairs(request.querystring.split('&'));
    const cookies = pairs((request.headers.cookie || []).flatMap(line => line.value.split(';')));
    return {
        context: { eventType, requestId: config.requestId },
        request: {
            method: request.method,
            uri: request.uri,
            querystring,
            headers: flatten(request.headers),
            cookies,
        },
    };
}

// pairs keeps the first value of each name, as CloudFront Functions do.
function pairs(list) {
    const values = Object.create(null);
    for (const pair of list) {
        const [name] = pair.split('=', 1);
        values[name.trim()] ??= { value: pair.slice(name.length + 1).trim() };
    }
    return values;
}

function flatten(headers) {
    return Object.fromEntries(Object.entries(headers).map(
        ([name, values]) => [name, { value: values[0].value }]));
}

function wrap(headers) {
    return Object.fromEntries(Object.entries(headers).map(
        ([name, { value }]) => [name, [{ key: name, value }]]));
}

function setCookie(cookies) {
    return Object.entries(cookies).map(([name, { value, attributes }]) => (
        { key: 'Set-Cookie', value: `${name}=${value}; ${attributes}` }));
}
