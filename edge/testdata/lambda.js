// The driver of Lambda@Edge. It makes the events of CloudFront and writes their outcomes.
import fs from 'fs';
import { route, serve } from './index.mjs';

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
const customHeaders = Object.fromEntries(Object.entries(domains).map(([domain, e]) =>
    [`x-lockstep-site-${e}`, [{ key: `x-lockstep-site-${e}`, value: domain }]]));
const records = (eventType, requestId, request, response) => ({ Records: [{ cf: { config: { eventType, requestId }, request, response } }] });
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
    const copy = { ...structuredClone(request), origin: { s3: { domainName, path: '', customHeaders } } };
    const answer = await serve(records('origin-request', '', copy));
    if (answer.origin && answer.origin.s3.domainName !== answer.headers.host[0].value) {
        throw new Error('the host is not the bucket');
    }
    if (answer.origin && (answer.origin.s3.authMethod !== 'origin-access-identity' || answer.origin.s3.region !== 'eu-west-1')) {
        throw new Error('CloudFront would not sign for the bucket');
    }
    return answer.origin ? domains[answer.origin.s3.domainName] : undefined;
}

async function outcome({ event, route: value, served }) {
    reads = 0;
    stored = value;
    route.value = null;
    const id = event.context.requestId;
    const original = lambdaRequest(event.request);
    const answer = await serve(records('viewer-request', id, structuredClone(original)));
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
    const [first, again] = await Promise.all([original, answer].map(async request => {
        const response = await serve(records('viewer-response', id, request, { status: '200', headers: structuredClone(headers) }));
        return { ...readSetCookie(response.headers), outdated: response.headers['x-lockstep-outdated'] !== undefined };
    }));
    if (JSON.stringify(first) !== JSON.stringify(again)) {
        throw new Error('viewer-response depends on what viewer-request did');
    }
    if (reads !== result.reads) {
        throw new Error('viewer-response reads the route');
    }
    return { ...result, ...first };
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
