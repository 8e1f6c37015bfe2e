// Lambda@Edge reads the route once in five seconds, and keeps the last route if it cannot be read. If
// there is none yet, every request reads it.
import assert from 'assert';
import { route } from './index.mjs';

let now = 1000;
let reads = 0;
let stored = '{"weight":1}';
const warned = [];
Date.now = () => now;
console.warn = text => warned.push(text);
route.read = async () => {
    reads++;
    if (stored === null) {
        throw new Error('SlowDown');
    }
    return stored;
};

const after = async (milliseconds, value, want, count) => {
    now += milliseconds;
    stored = value;
    assert.deepEqual(await route.get(), want);
    assert.equal(reads, count);
};
await after(0, null, null, 1);
await after(1, null, null, 2);
reads = 0;
await after(1, '{"weight":1}', { weight: 1 }, 1);
await after(4999, '{"weight":2}', { weight: 1 }, 1);
await after(1, '{"weight":2}', { weight: 2 }, 2);
await after(5000, null, { weight: 2 }, 3);
await after(1, '{"weight":3}', { weight: 2 }, 3);
await after(4999, '{weight', { weight: 2 }, 4);
await after(5000, '{"weight":4}', { weight: 4 }, 5);
assert.equal(warned.length, 4);
