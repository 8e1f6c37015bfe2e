
// The driver. It follows the router in one module, since the handler is not exported.
import fs from 'fs';
import cloudfront from 'cloudfront';

async function outcome(visit) {
    const state = cloudfront.state;
    state.route = visit.route;
    state.reads = 0;
    const original = JSON.stringify(visit.event.request);
    const asked = await handler(visit.event);
    const result = {
        redirect: asked.statusCode === 302 && asked.headers.location.value === '?',
        reads: state.reads,
    };
    if (asked.statusCode) {
        result.cookie = asked.cookies.lockstep.value;
        result.attributes = asked.cookies.lockstep.attributes;
        return result;
    }
    Object.assign(result, {
        environment: state.origins[0].slice('site-'.length),
        failover: state.origins.length === 2 && state.origins[0] !== state.origins[1],
        header: asked.headers['x-lockstep-env'].value,
        uri: asked.uri,
        validators: asked.headers['if-none-match'] !== undefined,
    });
    const served = visit.served === null ? result.environment : visit.served;
    const first = await cookie(visit.event, JSON.parse(original), served);
    const second = await cookie(visit.event, asked, served);
    if (first.value !== second.value || first.outdated !== second.outdated) {
        throw new Error('viewer-response depends on what viewer-request did: ' + original);
    }
    if (state.reads !== result.reads) {
        throw new Error('viewer-response reads the store: ' + original);
    }
    result.cookie = first.value;
    result.attributes = first.attributes;
    result.outdated = first.outdated;
    return result;
}

async function cookie(event, request, served) {
    event.context.eventType = 'viewer-response';
    event.request = request;
    event.response = { statusCode: 200, headers: {}, cookies: {} };
    if (served !== '') {
        event.response.headers['x-amz-meta-lockstep-env'] = { value: served };
    }
    const answered = await handler(event);
    const kept = answered.cookies.lockstep || { value: '', attributes: '' };
    kept.outdated = answered.headers['x-lockstep-outdated'] !== undefined;
    return kept;
}

async function main() {
    const visits = JSON.parse(fs.readFileSync('visits.json', 'utf8'));
    const outcomes = [];
    for (let i = 0; i < visits.length; i++) {
        const result = await outcome(visits[i]);
        outcomes.push(result);
    }
    fs.writeFileSync('outcomes.json', JSON.stringify(outcomes));
}

main();
