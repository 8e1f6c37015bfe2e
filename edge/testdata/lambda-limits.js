// The longest requests that CloudFront accepts take Lambda@Edge at most 5 ms: its processor is small.
import assert from 'assert';
import { route, serve } from './index.mjs';

route.read = async () => '{"active":"b","fallback":"a","weight":10000,"release":"v2"}';
const cookie = 'lockstep=a.carolcarol03; padded=' + ' '.repeat(20000) + 'x';
const request = () => ({ method: 'GET', uri: '/', querystring: 'a='.repeat(4000),
    headers: { 'sec-fetch-dest': [{ value: 'document' }], cookie: [{ value: cookie }] } });
const response = { status: '200', headers: { 'x-amz-meta-lockstep-env': [{ value: 'b' }] } };

const before = process.cpuUsage();
const times = 10;
for (let n = 0; n < times; n++) {
    const asked = await serve({ Records: [{ cf: { config: { eventType: 'viewer-request', requestId: '' }, request: request() } }] });
    assert.equal(asked.headers['x-lockstep-env'][0].value, 'b');
    const answered = await serve({ Records: [{ cf: { config: { eventType: 'viewer-response', requestId: '' }, request: request(), response: structuredClone(response) } }] });
    assert.match(answered.headers['set-cookie'][0].value, /^lockstep=b\.carolcarol03; /);
}
const each = process.cpuUsage(before).user / times / 2;
assert.ok(each < 5000, `an event takes ${each} µs`);
