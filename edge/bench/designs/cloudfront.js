// A store and origins that cost as little as possible, since only the handler is measured.
const values = {
    weight: Promise.resolve({ percent: 50 }),
    active: Promise.resolve('b'),
    fallback: Promise.resolve('a'),
    percent: Promise.resolve('50'),
    path: Promise.resolve('/releases/v2'),
};
const route = Promise.resolve(ROUTE);

function get(key, options) {
    return key === 'route' ? route : values[key];
}

const store = { get };

function kvs() {
    return store;
}

function selectRequestOriginById(id) {
}

function createRequestOriginGroup(group) {
}

export default { kvs, selectRequestOriginById, createRequestOriginGroup };
