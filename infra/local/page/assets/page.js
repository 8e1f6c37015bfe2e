// The page takes views from the stream and hands each part to the module that draws it.
import { byId, chip, element, once, setColours } from './dom.js';
import { drawMachine } from './machine.js';
import { drawRamp } from './ramp.js';
import { drawTraffic } from './traffic.js';
import {
  drawAlarms, drawEnvironments, drawEvents, drawReleases, drawVisitors,
} from './lists.js';

const labels = {
  pause: 'Pause',
  resume: 'Resume',
  advance: 'Next step',
  promote: 'Promote',
  approve: 'Approve',
  contract: 'Contract',
  rollback: 'Roll back',
  freeze: 'Freeze',
  unfreeze: 'Unfreeze',
};

let view;

function draw() {
  if (!view) return;
  setColours(view.colours);
  byId('app').textContent = view.app;
  byId('queue').textContent = [
    view.queue.length && `waiting: ${view.queue.join(', ')}`,
    view.frozen && `frozen: ${view.frozen}`,
  ].filter(Boolean).join(' · ');

  byId('hero').dataset.tone = view.headline.tone;
  byId('headline').textContent = view.headline.text;
  byId('detail').textContent = view.headline.detail || '\u00a0';
  byId('detail').title = view.headline.full || view.headline.detail;
  document.title = `${view.headline.text} · Lockstep`;

  once(byId('machine-release'), view.machine.release, node => {
    node.replaceWith(withId(chip(view.machine.release), 'machine-release'));
  });
  drawMachine(byId('machine'), view.machine);
  drawRamp(byId('ramp'), byId('bake'), view.ramp, view.now);
  drawTraffic(byId('traffic'), byId('legend'), view.traffic);
  drawVisitors(view.visitors);
  drawEnvironments(view.environments, view.schema);
  drawEvents(byId('events'), view.events);
  drawReleases(byId('releases'), view.releases);
  drawAlarms(byId('alarms'), view.alarms);
  drawOperator();
}

function withId(node, id) {
  node.id = id;
  return node;
}

function drawOperator() {
  // Most buttons are always there, so that they keep their places. Approve and contract appear only
  // when the release waits for them.
  const enabled = action => view.actions.includes(action);
  const shown = [
    enabled('resume') ? 'resume' : 'pause',
    'advance',
    'promote',
    ...['approve', 'contract'].filter(enabled),
    'rollback',
    enabled('unfreeze') ? 'unfreeze' : 'freeze',
  ];

  once(byId('signals'), [view.actions], node => node.replaceChildren(
    ...shown.map(action => button(labels[action], action, '', !enabled(action)))));
  once(byId('offers'), view.offers, node => node.replaceChildren(
    ...view.offers.map(release => button(`Release ${release}`, 'release', release, false))));
}

function button(text, action, release, disabled) {
  const node = element('button', action === 'rollback' ? 'danger' : '', text);
  node.type = 'button';
  node.disabled = disabled;
  node.addEventListener('click', () => act(node, action, release));
  return node;
}

async function act(node, action, release) {
  node.disabled = true;
  try {
    const response = await fetch('/_lockstep/do', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ action, release }),
    });
    if (!response.ok) showError((await response.json()).message);
  } catch {
    showError('The local run does not answer. Is it still running?');
  } finally {
    setTimeout(() => {
      node.disabled = action !== 'release' && !view.actions.includes(action);
    }, 800);
  }
}

function showError(text) {
  const toast = byId('toast');
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(showError.timer);
  showError.timer = setTimeout(() => { toast.hidden = true; }, 6000);
}

function follow() {
  const live = byId('live');
  const stream = new EventSource('/_lockstep/events');
  stream.onmessage = event => {
    view = JSON.parse(event.data);
    live.textContent = 'live';
    live.dataset.state = 'live';
    draw();
  };
  stream.onerror = () => {
    live.textContent = 'reconnecting';
    live.dataset.state = 'lost';
    // The browser reopens a stream that broke, but not one that was refused.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  };
}

new ResizeObserver(() => requestAnimationFrame(draw)).observe(document.body);
follow();
