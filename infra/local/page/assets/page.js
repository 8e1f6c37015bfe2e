// The page: takes views from the stream and hands each part to what draws it.
import { byId, chip, element, once, setColours } from './dom.js';
import { drawMachine } from './machine.js';
import { drawRamp } from './ramp.js';
import { drawTraffic } from './traffic.js';
import { drawAlarms, drawEnvironments, drawReleases, drawStory, drawVisitors } from './lists.js';

const words = {
  pause: 'Pause', resume: 'Resume', advance: 'Next step', promote: 'Promote', approve: 'Approve', contract: 'Contract', rollback: 'Roll back',
  freeze: 'Freeze', unfreeze: 'Unfreeze',
};

let view;

function draw() {
  if (!view) return;
  setColours(view.colours);
  byId('app').textContent = view.app;
  byId('queue').textContent = [view.queue.length && `waiting: ${view.queue.join(', ')}`, view.frozen && `frozen: ${view.frozen}`].filter(Boolean).join(' · ');
  byId('hero').dataset.tone = view.headline.tone;
  byId('headline').textContent = view.headline.text;
  byId('detail').textContent = view.headline.detail || '\u00a0';
  byId('detail').title = view.headline.full || view.headline.detail;
  document.title = `${view.headline.text} · Lockstep`;
  once(byId('machine-release'), view.machine.release, node => node.replaceWith(named(chip(view.machine.release), 'machine-release')));
  drawMachine(byId('machine'), view.machine);
  drawRamp(byId('ramp'), byId('bake'), view.ramp, view.now);
  drawTraffic(byId('traffic'), byId('legend'), view.traffic);
  drawVisitors(view.visitors);
  drawEnvironments(view.environments, view.schema);
  drawStory(byId('story'), view.story);
  drawReleases(byId('releases'), view.releases);
  drawAlarms(byId('alarms'), view.alarms);
  drawOperator();
}

function named(node, id) {
  node.id = id;
  return node;
}

function drawOperator() {
  // Those that are always there keep their places; what answers a question appears when it is asked.
  const may = action => view.actions.includes(action);
  const shown = [may('resume') ? 'resume' : 'pause', 'advance', 'promote', ...['approve', 'contract'].filter(may), 'rollback', may('unfreeze') ? 'unfreeze' : 'freeze'];
  once(byId('signals'), [view.actions], node => node.replaceChildren(...shown.map(action => button(words[action], action, '', !may(action)))));
  once(byId('offers'), view.offers, node => node.replaceChildren(...view.offers.map(release => button(`Release ${release}`, 'release', release, false))));
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
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action, release }),
    });
    if (!response.ok) say((await response.json()).message);
  } catch {
    say('The run does not answer. Is it still there?');
  } finally {
    setTimeout(() => { node.disabled = action !== 'release' && !view.actions.includes(action); }, 800);
  }
}

function say(text) {
  const toast = byId('toast');
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, 6000);
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
    // A stream that was refused is closed for good; one that broke comes back by itself.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  };
}

new ResizeObserver(() => requestAnimationFrame(draw)).observe(document.body);
follow();
