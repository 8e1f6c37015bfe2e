// The store and the origins, as cheap as can be: what they cost is not the handler's.
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
