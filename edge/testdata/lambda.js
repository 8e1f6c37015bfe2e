// The driver of Lambda@Edge: it makes the events that CloudFront would, and writes what becomes of them.
import fs from 'fs';
import { originRequest, route, viewerRequest, viewerResponse } from './index.mjs';

let reads = 0;
let stored = null;
route.keep = 0;
route.read = async () => {
    reads++;
    if (stored === null) {
        throw new Error('NoSuchKey');
    }
    return stored;
};
console.warn = () => {};

const domains = { 'shop-a.s3.amazonaws.com': 'a', 'shop-b.s3.amazonaws.com': 'b' };
const records = (requestId, request, response) => ({ Records: [{ cf: { config: { requestId }, request, response } }] });
const listed = headers => Object.fromEntries(Object.entries(headers).map(([name, { value }]) => [name, [{ key: name, value }]]));

function lambdaRequest({ method, uri, querystring, headers, cookies }) {
    const request = { method, uri, clientIp: '198.51.100.11', headers: listed(headers),
        querystring: Object.entries(querystring).map(([name, { value }]) => `${name}=${value}`).join('&') };
    if (cookies.lockstep) {
        request.headers.cookie = [{ key: 'Cookie', value: `other=1; lockstep=${cookies.lockstep.value}` }];
    }
    return request;
}

async function asked(request, domainName) {
    const copy = { ...structuredClone(request), origin: { s3: { domainName } } };
    const answer = await originRequest(records('', copy));
    if (answer.origin && answer.origin.s3.domainName !== answer.headers.host[0].value) {
        throw new Error('the host is not the bucket');
    }
    return answer.origin ? domains[answer.origin.s3.domainName] : undefined;
}

async function outcome({ event, route: value, served }) {
    reads = 0;
    stored = value;
    route.value = null;
    const id = event.context.requestId;
    const original = lambdaRequest(event.request);
    const answer = await viewerRequest(records(id, structuredClone(original)));
    const result = { redirect: answer.status === '302' && answer.headers.location[0].value === '?', reads };
    if (answer.status) {
        return { ...result, ...readSetCookie(answer.headers) };
    }
    result.environment = await asked(answer, 'shop-a.s3.amazonaws.com');
    const second = await asked(answer, 'shop-b.s3.amazonaws.com');
    result.failover = second !== undefined && second !== result.environment;
    result.header = answer.headers['x-lockstep-env'][0].value;
    result.uri = answer.uri;
    result.validators = answer.headers['if-none-match'] !== undefined;
    const stamp = served === null ? result.environment : served;
    const headers = stamp === '' ? {} : listed({ 'x-amz-meta-lockstep-env': { value: stamp } });
    const response = await viewerResponse(records(id, original, { status: '200', headers }));
    if (reads !== result.reads) {
        throw new Error('viewer-response reads the route');
    }
    return { ...result, ...readSetCookie(response.headers), outdated: response.headers['x-lockstep-outdated'] !== undefined };
}

function readSetCookie(headers) {
    if (!headers['set-cookie']) {
        return { cookie: '', attributes: '' };
    }
    const [, cookie, attributes] = /^lockstep=([^]*); (Path=[^]*)$/.exec(headers['set-cookie'][0].value);
    return { cookie, attributes };
}

const outcomes = [];
for (const visit of JSON.parse(fs.readFileSync('visits.json', 'utf8'))) {
    outcomes.push(await outcome(visit));
}
fs.writeFileSync('outcomes.json', JSON.stringify(outcomes));
