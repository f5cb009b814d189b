"use strict";
/* The gallery: filter, sort and search records, open one, mark it. Needs explanation.js.
   What is chosen stands in the part of the address after #, so that it can be shared. */

const AT_ONCE = 42;
const START = {
  show: "all", find: "", class: "", predicted: "", source: "", split: "", prototype: "", flips: "",
  disagree: "", novelty: "", marked: "", from: "", to: "", sort: "errors", image: "",
};
const NO_MARK = { mark: "", note: "", label: "" }, MARK = Object.keys(NO_MARK);
const LONGEST_NOTE = 300; /* as in twincam/server/project.py */
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
  novelty: ["Novelty", () => [], { unlike: isUnlike }],
  prototype: ["Main prototype", (record) => [topPrototype(record)?.prototype].filter((one) => one !== undefined).map(String)],
};
const WORDS = { yes: "anything", some: "some disagree", most: "most disagree", none: "all agree", unlike: "unlike anything seen" };

const ownText = ({ name, source }) => `${name}\n${source}`.toLowerCase();
const pathsText = ({ twins, neighbours, influence, counterfactual }) =>
  [...twins, ...neighbours, ...influence, ...(counterfactual ? [counterfactual] : [])].map(({ path }) => path).join("\n").toLowerCase();

/** Return which records contain `find`: in their name or source or, if none does, in the paths of their training images. */
function searched(records, find) {
  const by = (text) => (record) => text(record).includes(find);
  const own = records.some(by(ownText));
  return { fits: by(own ? ownText : pathsText), words: own ? "" : ", matched by a training image's file name" };
}

const ownOf = (object, name) => (object && Object.hasOwn(object, name) ? object[name] : undefined);

/** Return the records that `state` asks for, in its order. */
function chosen(records, state, marks) {
  const find = state.find.toLowerCase();
  const low = Number(state.from || 0) / 100, high = Number(state.to || 100) / 100;
  const tests = [(ownOf(SHOWN, state.show) ?? SHOWN.all)[1]];
  if (find) tests.push(searched(records, find).fits);
  if (state.from || state.to) tests.push((record) => confidenceOf(record) >= low && confidenceOf(record) <= high);
  if (state.marked) tests.push((record) => marks.get(record.name)?.mark);
  for (const [name, [, values, more]] of Object.entries(LISTS)) {
    const wanted = state[name];
    if (wanted) tests.push(ownOf(more, wanted) ?? ((record) => values(record).includes(wanted)));
  }
  const [, order] = ownOf(SORTS, state.sort) ?? SORTS.errors;
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

/* Marks: by path, the mark, a note and the right label */

/**
 * Return all marks, those that the run has honoured included, and a function that keeps one in this browser.
 * Marks of images that are neither among `names` nor honoured are those of another run at this address: they are left alone.
 * @param {object[]} honoured rows path, mark, note, label
 * @param {string[]} names paths of the images shown
 */
function readMarks(honoured, names) {
  const place = `twincam-reviews:${location.pathname}`;
  const marks = new Map(honoured.map(({ path, mark, note, label }) => [path, { mark, note, label }]));
  const earlier = new Map(marks), known = new Set([...names, ...marks.keys()]);
  function stored() {
    try { return new Map(JSON.parse(localStorage.getItem(place) ?? "[]")); } catch { return new Map(); /* kept in this tab only */ }
  }
  function store(changed) {
    try { localStorage.setItem(place, JSON.stringify([...changed])); } catch { /* likewise */ }
  }
  const isApplied = ([path, one]) => MARK.every((name) => earlier.get(path)?.[name] === one[name]);
  const waiting = [...stored()].filter((entry) => !isApplied(entry));
  store(waiting);
  for (const [path, one] of waiting) if (known.has(path)) marks.set(path, { ...NO_MARK, ...one });
  function keep(path, one) {
    const changed = stored(); /* again: another tab may have written since */
    for (const map of [marks, changed]) {
      if (one.mark || one.note || earlier.has(path)) map.set(path, one);
      else map.delete(path);
    }
    store(changed);
  }
  return { marks, keep };
}

const csvCell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Return a path as no spreadsheet takes it for a formula, and no reader of reviews.csv for a comment. */
const csvPath = (path) => (/^[#=+\-@\t]/.test(path) ? `./${path}` : path);

/** Return the marks as CSV with the columns path, mark, note, label. */
function reviewsCsv(marks) {
  const rows = [...marks].filter(([, one]) => one.mark).map(([path, { mark, note, label }]) => [csvPath(path), mark, note, label]);
  return [["path", "mark", "note", "label"], ...rows].map((row) => row.map(csvCell).join(",")).join("\n") + "\n";
}

/** Return the class in whose folder a file lies: a review may have changed its label. */
const folderOf = (path, classes, label) => path.split("/").slice(0, 2).find((part) => classes.includes(part)) ?? label;

/**
 * Return a form that says what is wrong with an image.
 * @param {{mark: string, note: string, label: string}} review changed in place
 * @param {string[]} labels that the image may have instead of its own
 * @param {function} changed called after each change
 * @param {...(Node | string)} more below the form
 */
function reviewForm(review, labels, changed, ...more) {
  const label = make("select", { aria: { label: "Right label" }, onchange: () => change({ label: label.value }) },
    make("option", { value: "" }, "unknown: leave it out"), labels.map((name) => make("option", { value: name }, name)));
  const right = make("label", {}, "It is ", label);
  const buttons = Object.entries(MARKS).map(([name, title]) => make("button", {
    type: "button", data: { mark: name }, onclick: () => change({ mark: review.mark === name ? "" : name }),
  }, title));
  function draw() {
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.mark === review.mark);
    right.hidden = review.mark !== "mislabelled" || !labels.length;
    label.value = review.label;
  }
  function change(changes) {
    Object.assign(review, changes);
    if (review.mark !== "mislabelled") review.label = "";
    draw();
    changed();
  }
  draw();
  return make("fieldset", { className: "review" }, make("legend", {}, "Is something wrong with the image itself?"),
    make("span", { className: "chips" }, buttons), right,
    make("label", {}, "Note ", make("input", {
      type: "text", maxLength: LONGEST_NOTE, value: review.note, onchange: ({ target }) => change({ note: target.value }),
    })), ...more);
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
  const mayBeUnsure = ({ verdict: { unsure, confidence, set } }) => unsure || confidence !== null || set !== null;
  const needs = { wrong: labelled, right: labelled, unsure: mayBeUnsure, sure: mayBeUnsure };
  const shown = Object.entries(SHOWN).filter(([name]) => name === "all" || records.some(needs[name]));
  return make("div", { className: "filters", role: "search", aria: { label: "Choose images" } },
    make("div", { className: "chips", role: "group", aria: { label: "Show" } }, shown.map(([name, [title, test]]) =>
      make("button", { type: "button", data: { show: name }, onclick: () => act({ show: name }) }, `${title} `,
        make("span", { className: "count" }, records.filter(test).length)))),
    make("label", { className: "find" }, "Search", make("input", { type: "search", placeholder: "name, source, twin", data: { filter: "find" }, oninput: change })),
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
    make("span", {}, "predicted ", named(record.verdict.predicted), ` ${percent(confidenceOf(record))}`),
    make("span", { className: "judgement" }, words.join(", ") || "sure", mark?.mark ? ` · ${MARKS[mark.mark]}` : "")];
  const picture = images[record.image] ? make("img", { src: images[record.image], alt: "", decoding: "async" }) : make("span", { className: "missing" });
  return make("li", {}, make("button", { type: "button", className: `thumb ${words.join(" ")}`, data: { key: record.image }, title: record.name, onclick: open }, picture, text));
}

/**
 * Show a gallery in `element`.
 * @param {Element} element emptied first
 * @param {{records: object[], scope: string, choice: string, reviews: object[]}} data `choice` says which images these are,
 *   `reviews` are the marks that the run has honoured
 * @param {Object<string, string>} images URLs of pictures by key
 */
function showGallery(element, data, images) {
  const { records } = data;
  const byKey = new Map(records.map((record) => [record.image, record]));
  const { marks, keep } = readMarks(data.reviews, records.map(({ name }) => name));
  let state = readState(), found = [], many = AT_ONCE, listed = null, pushed = false;

  const status = make("span", { role: "status" });
  const clear = make("button", { type: "button", onclick: clearFilters }, "Clear the filters");
  const list = make("ul", { className: "thumbs", aria: { label: "Images" } });
  const more = make("button", { type: "button", onclick: showMore });
  const reviews = make("button", { type: "button", onclick: () => download("reviews.csv", reviewsCsv(marks)) });
  const reviewed = make("p", { className: "reviews" }, reviews,
    " Put this file into the folder that data.info names, replacing an earlier one, and run dvc repro: these images then get the correct label or are left out."
    + (data.reviews.length ? ` The file includes the ${data.reviews.length} already applied in this run.` : ""));
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
    const find = state.find.toLowerCase();
    status.textContent = `${found.length} of ${records.length} images`
      + (found.length ? (find && searched(records, find).words) : ": no match; clear a filter");
    list.replaceChildren(...found.slice(0, kept).map((record) =>
      cardOf(record, images, marks.get(record.name), () => openImage(record.image))));
    clear.hidden = addressOf({ ...state, image: "" }) === addressOf(START);
    more.hidden = kept === found.length;
    more.textContent = `Show ${Math.min(AT_ONCE, found.length - kept)} more`;
    const count = [...marks.values()].filter((one) => one.mark).length;
    reviewed.hidden = !count;
    reviews.textContent = `Download reviews.csv (${count} marked)`;
  }

  function showMore() {
    const first = list.childElementCount;
    many += AT_ONCE;
    drawList();
    list.children[first]?.querySelector(".thumb").focus();
  }

  function clearFilters() {
    act({ ...START });
    controls.querySelector(`[data-show=${START.show}]`).focus();
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
    place.textContent = at < 0 ? "not in the current selection" : `${at + 1} of ${found.length}`;
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
    const review = { ...NO_MARK, ...marks.get(record.name) };
    const classes = Object.keys(record.verdict.probabilities), own = folderOf(record.name, classes, record.label);
    return reviewForm(review, classes.filter((name) => name !== own), () => keep(record.name, review),
      make("p", { className: "muted" }, "Marks stay in this browser until you download them above the gallery."));
  }

  dialog.addEventListener("close", () => {
    const key = state.image;
    if (!key) return;
    if (pushed) history.back();
    else act({ image: "" });
    pushed = false;
    state.image = "";
    if (state.marked) found = chosen(records, state, marks);
    many = Math.max(many, 1 + found.findIndex((record) => record.image === key));
    drawList();
    [...list.querySelectorAll(".thumb")].find((thumb) => thumb.dataset.key === key)?.focus();
  });
  addEventListener("popstate", () => {
    if (location.hash && !location.hash.includes("=")) return; /* another section of the page */
    state = readState();
    draw();
  });
  addEventListener("click", ({ target }) => { if (target.closest('a[href^="#"][href*="="]')) element.scrollIntoView(); });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea") || event.target.closest(".table");
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
    make("p", {}, data.choice, " Open one to see why it was classified as it was.",
      make("span", { className: "keys" }, " Keys: / searches, arrows move, Enter opens, Escape closes.")),
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
