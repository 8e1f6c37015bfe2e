// Lambda@Edge around the router's handler, which stands before this in one module: what CloudFront gives to a
// Lambda is made into what it gives to a function, and back. The exports are the handlers of the three events.

// Filled in when it is built: Lambda@Edge has no environment variables.
const region = 'us-east-1';
const stateBucket = 'app-lockstep-state';
const siteA = 'app-site-a.s3.us-east-1.amazonaws.com';
const siteB = 'app-site-b.s3.us-east-1.amazonaws.com';

const sites = { 'site-a': siteA, 'site-b': siteB };

// route holds what was read for some seconds, and longer while nothing can be read: the last route that made sense
// is safer than none. A viewer waits for it a second at most.
export const route = {
    keep: 5000,
    read: async () => {
        const { S3Client, GetObjectCommand } = await import('@aws-sdk/client-s3');
        route.client ??= new S3Client({ region, maxAttempts: 1 });
        const object = await route.client.send(new GetObjectCommand({ Bucket: stateBucket, Key: 'route.json' }),
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
                console.warn(`read route.json of ${stateBucket}: ${e}; going by the last one`);
            }
        }
        return route.value;
    },
};

// A Lambda serves one request at a time, so the selection of the one that is under way is all there is.
let selected = [];

const cf = {
    kvs: () => route,
    selectRequestOriginById: id => { selected = [id]; },
    createRequestOriginGroup: group => { selected = group.originIds.map(origin => origin.originId); },
};

// viewerRequest decides; it runs for every request, as origin-request does not.
export async function viewerRequest(event) {
    const { config, request } = event.Records[0].cf;
    const answer = await handler(translate('viewer-request', config, request));
    if (answer.statusCode) {
        return {
            status: String(answer.statusCode), statusDescription: answer.statusDescription,
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

// originRequest switches the bucket. Where the behaviour names an origin group, CloudFront asks again with the
// group's second origin, site-b, when the first answers 403.
export async function originRequest(event) {
    const { request } = event.Records[0].cf;
    const origins = request.headers['x-lockstep-origins'][0].value.split(',');
    const again = request.origin.s3.domainName === siteB;
    const site = sites[origins[again ? 1 : 0]];
    if (!site) {
        return { status: '403', statusDescription: 'Forbidden' };
    }
    request.origin.s3.domainName = site;
    request.headers.host = [{ key: 'Host', value: site }];
    return request;
}

// viewerResponse sets the cookie: at origin-response it would be cached.
export async function viewerResponse(event) {
    const { config, request, response } = event.Records[0].cf;
    const translated = translate('viewer-response', config, request);
    translated.response = { statusCode: Number(response.status), headers: flatten(response.headers), cookies: {} };
    const answer = await handler(translated);
    if (answer.cookies.lockstep) {
        response.headers['set-cookie'] = [...(response.headers['set-cookie'] || []), ...setCookie(answer.cookies)];
    }
    if (answer.headers['x-lockstep-outdated']) {
        response.headers['x-lockstep-outdated'] = wrap(answer.headers)['x-lockstep-outdated'];
    }
    return response;
}

function translate(eventType, config, request) {
    const querystring = pairs(request.querystring.split('&'));
    const cookies = pairs((request.headers.cookie || []).flatMap(line => line.value.split(';')));
    return {
        context: { eventType, requestId: config.requestId },
        request: { method: request.method, uri: request.uri, querystring, headers: flatten(request.headers), cookies },
    };
}

// pairs keeps the first of each name, as CloudFront Functions do.
function pairs(list) {
    const values = Object.create(null);
    for (const pair of list) {
        const [, name, value] = /^\s*([^=]*)=?([^]*?)\s*$/.exec(pair);
        if (name !== '' && !(name in values)) {
            values[name] = { value };
        }
    }
    return values;
}

function flatten(headers) {
    return Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, { value: values[0].value }]));
}

function wrap(headers) {
    return Object.fromEntries(Object.entries(headers).map(([name, { value }]) => [name, [{ key: name, value }]]));
}

function setCookie(cookies) {
    return Object.entries(cookies).map(([name, { value, attributes }]) => ({ key: 'Set-Cookie', value: `${name}=${value}; ${attributes}` }));
}
