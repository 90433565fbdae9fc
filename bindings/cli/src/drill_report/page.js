'use strict';
// The steps of each drill: one under the cursor, and all of them in a table, a page at a time.
(() => {
  const PAGE = 100;
  const [TIME, X, TOLD, ASKED, NOTE, EVENTS, ANSWER, WHY, LOOK, FAILURES, KIND] = Array(11).keys();
  const DENY = 3;
  const GROUND = 2;

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const button = document.getElementById('theme');
  button.hidden = false;
  button.addEventListener('click', () => {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const root = document.documentElement;
    const now = root.dataset.theme ?? (dark ? 'dark' : 'light');
    root.dataset.theme = now === 'dark' ? 'light' : 'dark';
  });

  const play = (section) => {
    const { texts, steps } = JSON.parse(section.querySelector('script[type="application/json"]').textContent);
    if (steps.length === 0) return;
    const say = (step, column) => texts[step[column]];
    const chart = section.querySelector('.chart');
    const cursor = chart.querySelector('.cursor');
    const player = section.querySelector('.player');
    const slider = player.querySelector('input');
    const output = player.querySelector('output');
    const shown = player.querySelector('.step');
    let current = 0;

    const badge = (step) => element('span', say(step, ANSWER), `badge ${say(step, LOOK)}`);

    const describe = (step) => {
      shown.replaceChildren();
      const line = (title, text) => {
        if (!text) return;
        const made = element('p');
        made.append(element('strong', `${title}: `), text);
        shown.append(made);
      };
      line('At', say(step, TIME));
      line('Note', say(step, NOTE));
      line('Told', say(step, TOLD));
      line('Asked', say(step, ASKED));
      if (step[ANSWER]) {
        const made = element('p');
        made.append(element('strong', 'Answer: '), badge(step));
        shown.append(made);
      }
      line('Explained', say(step, WHY));
      line('Changed since the step before', say(step, EVENTS));
      line('Not as expected', say(step, FAILURES));
    };

    const show = (at) => {
      current = Math.max(0, Math.min(steps.length - 1, at));
      const step = steps[current];
      slider.value = String(current + 1);
      slider.setAttribute('aria-valuetext', `step ${current + 1} of ${steps.length}, at ${say(step, TIME)}`);
      output.textContent = `${current + 1} of ${steps.length}, at ${say(step, TIME)}`;
      cursor.setAttribute('x1', step[X]);
      cursor.setAttribute('x2', step[X]);
      cursor.classList.add('set');
      describe(step);
      mark();
    };

    const next = (wanted) => {
      for (let on = 1; on <= steps.length; on += 1) {
        const at = (current + on) % steps.length;
        if (wanted(steps[at])) return show(at);
      }
      shown.replaceChildren(element('p', 'There is none.'));
    };
    const go = {
      back: () => show(current - 1),
      on: () => show(current + 1),
      deny: () => next((step) => step[KIND] === DENY),
      ground: () => next((step) => step[KIND] === GROUND),
      change: () => next((step) => step[EVENTS] !== 0),
      missed: () => next((step) => step[FAILURES] !== 0),
    };
    for (const jump of player.querySelectorAll('[data-go]')) {
      jump.addEventListener('click', () => go[jump.dataset.go]());
    }
    slider.addEventListener('input', () => show(Number(slider.value) - 1));
    chart.addEventListener('click', (event) => {
      const box = chart.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
      let low = 0;
      let high = steps.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (steps[middle][X] <= x) low = middle + 1;
        else high = middle;
      }
      show(low - 1);
    });

    // The table: what the filters leave, a page of it.
    const place = section.querySelector('.steps');
    const filters = element('div', undefined, 'filters');
    const only = element('select');
    const kinds = [
      ['all', 'every step', () => true],
      ['denied', 'denies', (step) => step[KIND] === DENY],
      ['ground', 'allows on other ground', (step) => step[KIND] === GROUND],
      ['change', 'steps in which something changed', (step) => step[EVENTS] !== 0],
      ['missed', 'steps not as expected', (step) => step[FAILURES] !== 0],
    ];
    for (const [value, title] of kinds) only.append(new Option(title, value));
    const onlyLabel = element('label', 'Show ');
    onlyLabel.append(only);
    const search = element('input');
    search.type = 'search';
    const searchLabel = element('label', 'that mention ');
    searchLabel.append(search);
    const earlier = element('button', '‹ Earlier');
    const later = element('button', 'Later ›');
    earlier.type = later.type = 'button';
    const where = element('span');
    where.setAttribute('role', 'status');
    filters.append(onlyLabel, searchLabel, earlier, later, where);
    const table = element('table');
    const head = element('thead');
    const titles = element('tr');
    for (const title of ['Step', 'Time', 'Told and asked', 'Answer', 'Changed']) {
      const cell = element('th', title);
      cell.scope = 'col';
      titles.append(cell);
    }
    head.append(titles);
    const body = element('tbody');
    table.append(head, body);
    const scroll = element('div', undefined, 'scroll');
    scroll.tabIndex = 0;
    scroll.setAttribute('role', 'region');
    scroll.setAttribute('aria-label', `Steps of ${section.id}`);
    scroll.append(table);
    place.append(filters, scroll);

    let found = [];
    let from = 0;
    const row = (at) => {
      const step = steps[at];
      const made = element('tr');
      const number = element('th');
      number.scope = 'row';
      const pick = element('button', String(at + 1));
      pick.type = 'button';
      pick.setAttribute('aria-label', `Show step ${at + 1}`);
      pick.addEventListener('click', () => show(at));
      number.append(pick);
      const answer = element('td', undefined, 'lines');
      if (step[ANSWER]) answer.append(badge(step));
      if (step[FAILURES]) answer.append(element('strong', `\n${say(step, FAILURES)}`, 'bad'));
      const happened = [say(step, NOTE), say(step, TOLD), say(step, ASKED)].filter((text) => text !== '').join('\n');
      made.append(
        number,
        element('td', say(step, TIME)),
        element('td', happened, 'lines'),
        answer,
        element('td', say(step, EVENTS), 'lines'),
      );
      made.dataset.at = String(at);
      return made;
    };
    const turn = () => {
      from = Math.max(0, Math.min(from, Math.floor(Math.max(0, found.length - 1) / PAGE) * PAGE));
      const page = found.slice(from, from + PAGE);
      body.replaceChildren(...page.map(row));
      where.textContent = found.length === 0 ? 'none' : `${from + 1} to ${from + page.length} of ${found.length}`;
      earlier.disabled = from === 0;
      later.disabled = from + PAGE >= found.length;
      mark();
    };
    const filter = () => {
      const wanted = kinds.find(([value]) => value === only.value)[2];
      const word = search.value.trim().toLowerCase();
      // Whether a text mentions the word is looked up once for each text, and not for each step.
      const mentions = word === '' ? null : texts.map((text) => text.toLowerCase().includes(word));
      const columns = [TOLD, ASKED, NOTE, EVENTS, ANSWER, WHY, FAILURES];
      found = [];
      steps.forEach((step, at) => {
        if (wanted(step) && (mentions === null || columns.some((column) => mentions[step[column]]))) found.push(at);
      });
      from = 0;
      turn();
    };
    const mark = () => {
      for (const made of body.children) made.classList.toggle('here', made.dataset.at === String(current));
    };
    only.addEventListener('change', filter);
    search.addEventListener('input', filter);
    earlier.addEventListener('click', () => { from -= PAGE; turn(); });
    later.addEventListener('click', () => { from += PAGE; turn(); });

    player.hidden = false;
    filter();
    show(0);
  };

  for (const section of document.querySelectorAll('section.drill')) play(section);
})();
