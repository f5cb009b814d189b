"use strict";
/* The gallery: filter, sort and search records, open one, mark it. Needs explanation.js.
   What is chosen stands in the part of the address after #, so that it can be shared. */

const AT_ONCE = 42;
const START = {
  show: "all", find: "", class: "", predicted: "", source: "", split: "", prototype: "", flips: "",
  disagree: "", marked: "", from: "", to: "", sort: "errors", image: "",
};
const MARKS = { mislabelled: "Wrong label", duplicate: "Duplicate", unfit: "Not fit to use" };

const labelled = (record) => record.label !== null;
const isRight = (record) => labelled(record) && record.label === record.verdict.predicted;
const isWrong = (record) => labelled(record) && !isRight(record);
const confidenceOf = ({ verdict }) => verdict.confidence ?? verdict.probabilities[verdict.predicted];

/** Return the prototype that adds most to the score of the class that the prototype network says. */
function topPrototype({ prototypes }) {
  const own = prototypes?.rows.filter((row) => row.class === prototypes.predicted) ?? [];
  return own.reduce((best, row) => (best && best.points >= row.points ? best : row), null);
}

const concern = (record) => (isWrong(record) ? 2 : Number(record.verdict.unsure));

const SHOWN = {
  all: ["All", () => true],
  wrong: ["Wrong", isWrong],
  unsure: ["Unsure", (record) => record.verdict.unsure],
  right: ["Right", isRight],
  sure: ["Sure", (record) => !record.verdict.unsure],
};

const SORTS = {
  errors: ["wrong first, then unsure", (a, b) => concern(b) - concern(a) || confidenceOf(b) - confidenceOf(a)],
  doubt: ["least confident first", (a, b) => confidenceOf(a) - confidenceOf(b)],
  sure: ["most confident first", (a, b) => confidenceOf(b) - confidenceOf(a)],
  disagree: ["neighbours disagree most", (a, b) => (b.disagree ?? 0) - (a.disagree ?? 0)],
  name: ["by name", (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)],
};

/* Choices in a list: its name, the values of a record, and how a value is written. */
const LISTS = {
  class: ["Label", (record) => [record.label]],
  predicted: ["Predicted", (record) => [record.verdict.predicted]],
  source: ["Source", (record) => [record.source]],
  split: ["Split", (record) => [record.split]],
  flips: ["Changes after", (record) => record.verdict.flips, { yes: (record) => record.verdict.flips.length > 0 }],
  disagree: ["Neighbours", () => [], {
    some: (record) => record.disagree > 0, most: (record) => record.disagree > 0.5, none: (record) => record.disagree === 0,
  }],
  prototype: ["Main prototype", (record) => [topPrototype(record)?.prototype].filter((one) => one !== undefined).map(String)],
};
const WORDS = { yes: "anything", some: "some disagree", most: "most disagree", none: "all agree" };

/** Return the records that `state` asks for, in its order. */
function chosen(records, state, marks) {
  const find = state.find.toLowerCase();
  const low = Number(state.from || 0) / 100, high = Number(state.to || 100) / 100;
  const tests = [SHOWN[state.show]?.[1] ?? SHOWN.all[1]];
  if (find) tests.push((record) => `${record.name}\n${record.source}`.toLowerCase().includes(find));
  if (state.from || state.to) tests.push((record) => confidenceOf(record) >= low && confidenceOf(record) <= high);
  if (state.marked) tests.push((record) => marks.has(record.name));
  for (const [name, [, values, more]] of Object.entries(LISTS)) {
    const wanted = state[name];
    if (wanted) tests.push(more?.[wanted] ?? ((record) => values(record).includes(wanted)));
  }
  const [, order] = SORTS[state.sort] ?? SORTS.errors;
  return records.filter((record) => tests.every((test) => test(record))).sort(order);
}

/* The address */

const readState = () => {
  const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  return Object.fromEntries(Object.entries(START).map(([name, value]) => [name, given.get(name) ?? value]));
};

function addressOf(state) {
  const set = Object.entries(state).filter(([name, value]) => value !== START[name]);
  return `#${new URLSearchParams(set.length ? set : { show: START.show })}`;
}

/* Marks, kept in this browser: by path, the mark and a note */

function readMarks() {
  const place = `twincam-reviews:${location.pathname}`;
  let marks = new Map();
  try { marks = new Map(JSON.parse(localStorage.getItem(place) ?? "[]")); } catch { /* kept in this tab only */ }
  const keep = () => { try { localStorage.setItem(place, JSON.stringify([...marks])); } catch { /* likewise */ } };
  return { marks, keep };
}

const csvCell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Return a path as no spreadsheet takes it for a formula, and no reader of reviews.csv for a comment. */
const csvPath = (path) => (/^[#=+\-@\t]/.test(path) ? `./${path}` : path);

/** Return the marks as CSV with the columns path, mark, note. */
function reviewsCsv(marks) {
  const rows = [...marks].filter(([, one]) => one.mark).map(([path, one]) => [csvPath(path), one.mark, one.note]);
  return [["path", "mark", "note"], ...rows].map((row) => row.map(csvCell).join(",")).join("\n") + "\n";
}

function download(name, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/* Controls */

function listOf(name, records, change) {
  const [title, values, more = {}] = LISTS[name];
  const counts = new Map();
  for (const [key, test] of Object.entries(more)) counts.set(key, records.filter(test).length);
  const found = new Map();
  for (const record of records) for (const value of values(record)) if (value) found.set(value, (found.get(value) ?? 0) + 1);
  const sorted = [...found.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  for (const value of sorted) counts.set(value, found.get(value));
  const useful = Object.keys(more).length ? [...counts.values()].some((n) => n && n < records.length) : found.size > 1;
  if (!useful) return null;
  const options = [...counts].map(([value, n]) => make("option", { value }, `${value in more ? WORDS[value] : value} (${n})`));
  return make("label", {}, title, make("select", { data: { filter: name }, onchange: change }, make("option", { value: "" }, "any"), options));
}

function controlsOf(records, change, act) {
  const shown = Object.entries(SHOWN).filter(([name]) => name === "all" || !["wrong", "right"].includes(name) || records.some(labelled));
  return make("div", { className: "filters", role: "search", aria: { label: "Choose images" } },
    make("div", { className: "chips", role: "group", aria: { label: "Show" } }, shown.map(([name, [title, test]]) =>
      make("button", { type: "button", data: { show: name }, onclick: () => act({ show: name }) }, `${title} `,
        make("span", { className: "count" }, records.filter(test).length)))),
    make("label", { className: "find" }, "Search", make("input", { type: "search", placeholder: "name or source", data: { filter: "find" }, oninput: change })),
    make("label", {}, "Sort", make("select", { data: { filter: "sort" }, onchange: change },
      Object.entries(SORTS).map(([name, [title]]) => make("option", { value: name }, title)))),
    make("details", {}, make("summary", {}, "More filters"), make("div", { className: "more" },
      Object.keys(LISTS).map((name) => listOf(name, records, change)),
      ["from", "to"].map((end) => make("label", {}, end === "from" ? "Confidence from, %" : "to, %",
        make("input", { type: "number", min: 0, max: 100, data: { filter: end }, oninput: change }))),
      make("label", {}, "Marked by you", make("select", { data: { filter: "marked" }, onchange: change },
        make("option", { value: "" }, "any"), make("option", { value: "yes" }, "only these"))))));
}

/* Cards and the detail view */

function judgementOf(record) {
  const words = [];
  if (labelled(record)) words.push(isRight(record) ? "right" : "wrong");
  if (record.verdict.unsure) words.push("unsure");
  return words;
}

function cardOf(record, images, mark, open) {
  const words = judgementOf(record);
  const text = [make("span", { className: "name" }, named(record.name.split("/").at(-1))),
    make("span", {}, named(record.verdict.predicted), ` ${percent(confidenceOf(record))}`),
    make("span", { className: "judgement" }, words.join(", ") || "sure", mark?.mark ? ` · ${MARKS[mark.mark]}` : "")];
  const picture = images[record.image] ? make("img", { src: images[record.image], alt: "", decoding: "async" }) : make("span", { className: "missing" });
  return make("li", {}, make("button", { type: "button", className: `thumb ${words.join(" ")}`, data: { key: record.image }, title: record.name, onclick: open }, picture, text));
}

/**
 * Show a gallery in `element`.
 * @param {Element} element emptied first
 * @param {{records: object[], scope: string, choice: string}} data `choice` says which images these are
 * @param {Object<string, string>} images URLs of pictures by key
 */
function showGallery(element, data, images) {
  const { records } = data;
  const byKey = new Map(records.map((record) => [record.image, record]));
  const { marks, keep } = readMarks();
  let state = readState(), found = [], many = AT_ONCE, listed = null, pushed = false;

  const status = make("span", { role: "status" });
  const clear = make("button", { type: "button", onclick: () => act({ ...START }) }, "Clear the filters");
  const list = make("ul", { className: "thumbs", aria: { label: "Images" } });
  const more = make("button", { type: "button", onclick: () => { many += AT_ONCE; drawList(); } });
  const reviews = make("button", { type: "button", onclick: () => download("reviews.csv", reviewsCsv(marks)) });
  const reviewed = make("p", { className: "reviews" }, reviews,
    " Put the file into the folder that data.info names and run dvc repro: the split then leaves these images out, and says so in split.json.");
  const change = ({ target }) => act({ [target.dataset.filter]: target.value });
  const controls = controlsOf(records, change, act);
  const title = make("h2", { id: "detail-title", tabIndex: -1 });
  const place = make("span", { className: "muted" });
  const body = make("div", { className: "explanation" });
  const review = make("div");
  const dialog = make("dialog", { className: "detail", aria: { labelledby: "detail-title" } },
    make("div", { className: "bar" }, title, place,
      make("span", { className: "steps" },
        make("button", { type: "button", aria: { label: "Previous image" }, onclick: () => step(-1) }, "←"),
        make("button", { type: "button", aria: { label: "Next image" }, onclick: () => step(1) }, "→"),
        make("button", { type: "button", onclick: () => dialog.close() }, "Close"))),
    body, review);

  /** Change what is shown, and the address with it; a new step in the history if `push`. */
  function act(changes, push = false) {
    state = { ...state, ...changes };
    history[push ? "pushState" : "replaceState"](null, "", addressOf(state));
    draw();
  }

  function draw() {
    const wanted = addressOf({ ...state, image: "" });
    if (wanted !== listed) drawChoice();
    listed = wanted;
    drawDetail();
  }

  function drawChoice() {
    found = chosen(records, state, marks);
    many = AT_ONCE;
    for (const control of controls.querySelectorAll("[data-filter]")) {
      if (control.value !== state[control.dataset.filter]) control.value = state[control.dataset.filter];
    }
    for (const chip of controls.querySelectorAll("[data-show]")) chip.setAttribute("aria-pressed", chip.dataset.show === state.show);
    if (Object.keys(LISTS).concat("from", "to", "marked").some((name) => state[name])) controls.querySelector("details").open = true;
    drawList();
  }

  function drawList() {
    const kept = Math.min(many, found.length);
    status.textContent = `${found.length} of ${records.length} images` + (found.length ? "" : ": none fits; clear a filter");
    list.replaceChildren(...found.slice(0, kept).map((record) =>
      cardOf(record, images, marks.get(record.name), () => openImage(record.image))));
    clear.hidden = addressOf({ ...state, image: "" }) === addressOf(START);
    more.hidden = kept === found.length;
    more.textContent = `Show ${Math.min(AT_ONCE, found.length - kept)} more`;
    const count = [...marks.values()].filter((one) => one.mark).length;
    reviewed.hidden = !count;
    reviews.textContent = `Download reviews.csv (${count} marked)`;
  }

  function openImage(key) {
    pushed = true;
    act({ image: key }, true);
  }

  function drawDetail() {
    const record = byKey.get(state.image);
    if (!record) {
      if (dialog.open) dialog.close();
      return;
    }
    const at = found.indexOf(record);
    title.replaceChildren(named(record.name));
    place.textContent = at < 0 ? "not among the images chosen" : `${at + 1} of ${found.length}`;
    if (body.dataset.key !== record.image || !dialog.open) {
      body.dataset.key = record.image;
      showExplanation(body, { ...record, scope: record.scope || data.scope }, images);
      review.replaceChildren(reviewView(record));
      if (!dialog.open) dialog.showModal();
      dialog.scrollTop = 0;
      title.focus({ preventScroll: true });
    }
  }

  function step(by) {
    const at = found.findIndex((record) => record.image === state.image);
    const next = found[at + by];
    if (next) act({ image: next.image });
  }

  function reviewView(record) {
    const mark = (changes) => {
      const one = { mark: "", note: "", ...marks.get(record.name), ...changes };
      if (one.mark || one.note) marks.set(record.name, one);
      else marks.delete(record.name);
      keep();
      for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.mark === one.mark);
    };
    const now = marks.get(record.name) ?? { mark: "", note: "" };
    const buttons = Object.entries(MARKS).map(([name, title]) => make("button", {
      type: "button", data: { mark: name }, aria: { pressed: now.mark === name },
      onclick: ({ currentTarget }) => mark({ mark: currentTarget.ariaPressed === "true" ? "" : name }),
    }, title));
    return make("fieldset", { className: "review" }, make("legend", {}, "Is something wrong with this image itself?"),
      make("span", { className: "chips" }, buttons),
      make("label", {}, "Note ", make("input", { type: "text", maxLength: 300, value: now.note, oninput: ({ target }) => mark({ note: target.value }) })),
      make("p", { className: "muted" }, "Marks stay in this browser until you download them above the gallery."));
  }

  dialog.addEventListener("close", () => {
    const key = state.image;
    if (!key) return;
    if (pushed) history.back();
    else act({ image: "" });
    pushed = false;
    state.image = "";
    drawList();
    [...list.querySelectorAll(".thumb")].find((thumb) => thumb.dataset.key === key)?.focus();
  });
  addEventListener("popstate", () => { state = readState(); draw(); });
  addEventListener("click", ({ target }) => { if (target.closest('a[href^="#"][href*="="]')) element.scrollIntoView(); });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "/" && !typing && !dialog.open) {
      event.preventDefault();
      controls.querySelector("[data-filter=find]").focus();
    } else if (event.key === "Escape" && event.target.dataset.filter === "find") act({ find: "" });
    else if (dialog.open && !typing && event.key === "ArrowLeft") step(-1);
    else if (dialog.open && !typing && event.key === "ArrowRight") step(1);
    else if (!dialog.open && list.contains(event.target)) moveFocus(list, event);
  });

  element.replaceChildren(
    make("p", {}, data.choice, " Open one to see why it was classified that way. Keys: / searches, arrows move, Enter opens, Escape closes."),
    controls, make("p", { className: "status" }, status, clear), reviewed, list, more, dialog);
  draw();
  if (!clear.hidden) element.scrollIntoView();
}

/** Move the focus among the thumbnails with the arrow keys. */
function moveFocus(list, event) {
  const thumbs = [...list.querySelectorAll(".thumb")], at = thumbs.indexOf(event.target);
  const top = ({ parentElement }) => parentElement.offsetTop;
  const columns = thumbs.filter((thumb) => top(thumb) === top(thumbs[0])).length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (by === undefined || !thumbs[at + by]) return;
  event.preventDefault();
  thumbs[at + by].focus();
}
