
// The driver of a crowd. It follows the router in one module and serves all viewers, round by round.
import crypto from 'crypto';
import fs from 'fs';
import cloudfront from 'cloudfront';

const ids = fs.readFileSync('ids', 'latin1').match(/.{12}/g);
const routes = JSON.parse(fs.readFileSync('routes.json', 'utf8'));
const hashes = {};
for (const { release } of routes) {
    hashes[release] ??= fs.readFileSync(`hashes-${release}`);
}

let n = 0; // the viewer who asks
let route = null;
let origin = '';
const store = { get: () => route };
Object.assign(cloudfront, {
    kvs: () => store,
    selectRequestOriginById: id => { origin = id; },
    createRequestOriginGroup: group => { origin = group.originIds[0].originId; },
});

// Hashing takes the most time, so Go has computed the hashes. The text that is hashed is checked here.
let hashed = '';
const digest = { readUInt32BE: at => hashes[route.release].readUInt32BE(4 * n + at) };
const md5 = {
    update: text => { hashed = text; return md5; },
    digest: () => {
        if (hashed !== `${ids[n]}.${route.release}`) {
            throw new Error(`viewer ${ids[n]} is hashed as ${hashed}`);
        }
        return digest;
    },
};
crypto.createHash = () => md5;

// The event is reused, to spare the garbage collector a million events.
const destination = { value: '' };
const cookie = { value: '' };
const none = {};
const known = { lockstep: cookie };
const request = { method: 'GET', uri: '', querystring: {}, headers: { 'sec-fetch-dest': destination }, cookies: none };
const event = { context: { requestId: '' }, request };
const stamp = { value: '' };
const moved = { context: event.context, request, response: { headers: { 'x-amz-meta-lockstep-env': stamp }, cookies: none } };

const asks = Buffer.alloc(4 * ids.length);
const answers = Buffer.alloc(ids.length);
while (fill(asks)) {
    for (n = 0; n < ids.length; n++) {
        // A request is the index of its route, the environment in the cookie ('a', 'b' or 0), and its
        // kind, 0 for no request.
        const page = asks[4 * n + 2];
        const kind = asks[4 * n + 3];
        if (kind === 0) {
            answers[n] = 0;
            continue;
        }
        const asset = kind === 's'.charCodeAt();
        route = routes[asks.readUInt16LE(4 * n)];
        cookie.value = String.fromCharCode(page) + '.' + ids[n];
        request.cookies = page === 0 ? none : known;
        event.context.requestId = page === 0 ? ids[n] + '-the-first-request==' : 'another-request====';
        destination.value = asset ? 'script' : 'document';
        request.uri = asset ? '/app.js' : '/';
        await handler(event);
        const served = origin.charCodeAt('site-'.length);
        if (!asset && served !== page) {
            stamp.value = origin.slice('site-'.length);
            moved.response.cookies = {};
            const answered = await handler(moved);
            if (answered.cookies.lockstep.value !== stamp.value + '.' + ids[n]) {
                throw new Error(`viewer ${ids[n]} gets the cookie ${answered.cookies.lockstep.value} from ${origin}`);
            }
        }
        answers[n] = served;
    }
    for (let at = 0; at < answers.length;) {
        at += fs.writeSync(1, answers.subarray(at));
    }
}

function fill(buffer) {
    for (let at = 0; at < buffer.length;) {
        const read = fs.readSync(0, buffer.subarray(at));
        if (read === 0) {
            return false;
        }
        at += read;
    }
    return true;
}
