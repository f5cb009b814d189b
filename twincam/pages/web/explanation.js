"use strict";
/* The detail view of one explanation. All text from data goes in as text, never as HTML.
   Record: twincam/pages/explanation.py. */

/** Return a new element; `properties` are its own, `data` and `aria` its attributes. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { data, aria, ...own } = properties;
  Object.assign(element, own);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(aria ?? {})) element.setAttribute(`aria-${name}`, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return a name from data, set apart from the direction of the text around it. */
const named = (text) => make("bdi", {}, text);

/** Return a probability in percent; it is never written as certain. */
const percent = (share) =>
  (share >= 0.9995 ? "> 99.9 %" : share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`).replaceAll(" ", "\u00a0");
const number = (value) => value.toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 }).replace("-", "−");
const withSign = (value) => (value < 0 ? "" : "+") + number(value);
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Return the JSON in the `<script>` of this id. */
const readJson = (id) => JSON.parse(document.getElementById(id).textContent);

/** Return the pictures of this page by key; each is read only when it is asked for. */
function readPictures() {
  const places = new Map();
  for (const place of document.querySelectorAll("script.picture")) places.set(place.dataset.key, place);
  return new Proxy({}, { get: (_, key) => places.get(key)?.textContent });
}

/**
 * Show `record` in `element`.
 * @param {Element} element emptied first
 * @param {object} record a record of the schema twincam-explanation-2
 * @param {Object<string, string>} images URLs of pictures by key
 */
function showExplanation(element, record, images) {
  const heat = heatView(record, images);
  const parts = [
    verdictView(record),
    make("div", { className: "explained" }, heat.element, readingView(record, heat)),
    twinsView(record, images, heat),
    neighboursView(record, images),
    counterfactualView(record, images),
    prototypesView(record, images),
    influenceView(record, images),
    record.scope ? make("p", { className: "muted scope" }, record.scope) : null,
  ];
  element.replaceChildren(...parts.filter(Boolean));
}

const section = (title, lead, ...content) =>
  make("section", {}, make("h3", {}, ...[title].flat()), make("p", { className: "lead" }, ...[lead].flat()), ...content);

/* The verdict */

function verdictView(record) {
  const { verdict, label } = record;
  const facts = [];
  if (label !== null) {
    const right = label === verdict.predicted;
    const text = right ? "the prediction is right" : "the prediction is wrong";
    facts.push(make("li", { className: right ? "right" : "wrong" }, "Labelled ", named(label), `: ${text}`));
  }
  if (verdict.confidence !== null) {
    facts.push(make("li", {}, `${percent(verdict.confidence)} confident that it is `, named(verdict.predicted)));
  }
  if (record.source) facts.push(make("li", {}, "Source: ", named(record.source)));
  return make("header", { className: verdict.unsure ? "verdict unsure" : "verdict" },
    make("p", { className: "statement" }, capitalised(verdict.statement)),
    verdict.remark ? make("p", { className: "why" }, verdict.remark) : null,
    make("ul", { className: "facts" }, facts));
}

/** Return whether every training image is nearer to its nearest than this image is (twincam/explanations/twins/novelty.py). */
const isUnlike = ({ verdict }) => verdict.novelty?.quantile >= 1;

function readingView(record, heat) {
  const { verdict } = record;
  const rows = Object.entries(verdict.probabilities).sort((a, b) => b[1] - a[1]).map(([name, share]) =>
    make("tr", {}, make("th", { scope: "row" }, named(name)),
      make("td", {}, make("meter", { value: share, min: 0, max: 1, aria: { label: name } })),
      make("td", {}, percent(share))));
  const notes = [];
  if (verdict.set && verdict.set.length > 1) {
    notes.push(["It could be ", ...verdict.set.flatMap((name, n) => (n ? [" or ", named(name)] : [named(name)])), "."]);
  }
  if (verdict.set && verdict.set.length === 1 && verdict.set[0] !== verdict.predicted) {
    notes.push(["At the chosen error rate, only ", named(verdict.set[0]), " cannot be ruled out."]);
  }
  if (verdict.flips.length) notes.push([`The prediction changes after: ${verdict.flips.join(", ")}.`]);
  if (isUnlike(record)) {
    notes.push(["Unlike anything seen in training: farther from its nearest training image than any training image is from its own."]);
  }
  const against = otherwise(record.neighbours, verdict.as_is);
  const wrong = record.label !== null && record.label !== verdict.predicted;
  if (record.neighbours.length && (against || wrong)) {
    const near = `${record.neighbours.length} training images nearest to it`;
    notes.push(against ? [`Of the ${near}, ${against} ${against > 1 ? "have" : "has"} a label other than `, named(verdict.as_is), "."]
      : [`All ${near} are labelled `, named(verdict.as_is), "."]);
  }
  return make("div", { className: "reading" },
    heat.controls,
    make("h3", {}, "What the model predicts"),
    make("table", { className: "plain" },
      make("caption", {}, "Probabilities before calibration, from the mean over deliveries: as is, re-saved, scaled and cropped"), make("tbody", {}, rows)),
    make("p", {}, "Margin of ", named(verdict.as_is), ` over the runner-up: ${record.margin.toFixed(2)} logits for the unmodified image (0 is a tie)`),
    notes.map((note) => make("p", { className: "why" }, ...note)),
    verdict.novelty && !isUnlike(record)
      ? make("p", {}, `This image is farther from its nearest training image than ${percent(verdict.novelty.quantile)} of the training images are from theirs.`) : null,
    tracesView(record),
    deliveriesView(record));
}

function tracesView({ forensics, verdict }) {
  if (!forensics) return null;
  const above = forensics.threshold === null ? "" : ` (threshold ${number(forensics.threshold)})`;
  return make("p", verdict.traces === "found" ? { className: "why" } : {},
    `${forensics.found ? "Traces" : "No traces"} of a generator in its finest detail: a score of ${number(forensics.score)}${above}.`);
}

/** What re-saving, scaling and cropping do to the prediction, folded. */
function deliveriesView({ deliveries, verdict }) {
  if (!deliveries.length) return null;
  const changed = deliveries.filter((one) => one.predicted !== verdict.as_is).length;
  const rows = deliveries.map((one) => make("tr", { className: one.predicted === verdict.as_is ? "" : "flipped" },
    make("th", { scope: "row" }, one.name), make("td", {}, named(one.predicted)), make("td", { className: "number" }, signed(one.margin))));
  return make("details", { className: "deliveries" },
    make("summary", {}, `Re-saved, scaled or cropped: ${changed || "none"} of ${deliveries.length} ${changed > 1 ? "change" : "changes"} the prediction`),
    make("table", { className: "plain" },
      make("thead", {}, make("tr", {}, ["after", "predicted"].map((text) => make("th", { scope: "col" }, text)),
        make("th", { scope: "col", className: "number" }, "margin of ", named(verdict.as_is)))),
      make("tbody", {}, rows)));
}

/* Heat */

/** Return what a map shows at each of side x side pixels, bilinear between the cells' centres. */
function enlarged(map, side) {
  const rows = map.length, columns = map[0].length, out = new Float32Array(side * side);
  const place = (pixel, cells) => {
    const at = Math.min(Math.max(((pixel + 0.5) * cells) / side - 0.5, 0), cells - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, cells - 1), at - low];
  };
  for (let y = 0; y < side; y++) {
    const [top, bottom, down] = place(y, rows);
    for (let x = 0; x < side; x++) {
      const [left, right, across] = place(x, columns);
      const upper = map[top][left] * (1 - across) + map[top][right] * across;
      const lower = map[bottom][left] * (1 - across) + map[bottom][right] * across;
      out[y * side + x] = upper * (1 - down) + lower * down;
    }
  }
  return out;
}

const FOR = [230, 97, 1], AGAINST = [60, 76, 170], SIDE = 112;

function drawHeat(canvas, map, scale) {
  const context = canvas.getContext("2d");
  canvas.width = canvas.height = SIDE;
  if (!map) return;
  const full = scale || Math.max(...map.flat().map(Math.abs)) || 1;
  const pixels = context.createImageData(SIDE, SIDE);
  enlarged(map, SIDE).forEach((value, n) => {
    const colour = value > 0 ? FOR : AGAINST;
    pixels.data.set([...colour, Math.round(255 * Math.min(1, Math.abs(value) / full))], 4 * n);
  });
  context.putImageData(pixels, 0, 0);
}

/** The image under its heat map, with `controls`, and `share(map)` to show another map a while. */
function heatView(record, images) {
  const canvas = make("canvas", { className: "heat", aria: { hidden: "true" } });
  const picture = pictureOf(record.image, images, `The image as the model sees it: ${record.name}`);
  const caption = make("figcaption", { aria: { live: "polite" } });
  const stack = make("div", { className: "stack" }, picture, canvas);
  const element = make("figure", { className: "heated" }, stack, caption);
  if (!record.heat.length) {
    caption.append("The image as the model sees it. There is no heat map.");
    return { element, controls: null, share: (map, text) => share(map, text) };
  }
  let chosen = record.heat[0];
  const strength = make("input", { type: "range", min: 0, max: 100, value: 75, aria: { label: "Strength of the heat map" } });
  const stretched = make("input", { type: "checkbox" });
  const choice = make("select", { aria: { label: "Method of the heat map" } },
    record.heat.map((one, n) => make("option", { value: n }, one.method)));

  function draw(map, scale, text) {
    drawHeat(canvas, map, scale);
    stack.style.setProperty("--strength", strength.value / 100);
    caption.replaceChildren(...text);
  }
  function own() {
    const text = [make("span", { className: "for" }, "Orange"), " is evidence for ", named(record.verdict.as_is), ", ",
      make("span", { className: "against" }, "blue"), " against it."];
    if (chosen.sum_explains === "margin") {
      text.push(" The mean of the map is the margin over the runner-up, up to a constant.");
    }
    const strongest = Math.max(...chosen.map.flat().map(Math.abs));
    if (!stretched.checked && strongest < chosen.scale / 2) text.push(" The colours are faint because other images have more evidence.");
    draw(chosen.map, stretched.checked ? null : chosen.scale, text);
  }
  function share(map, text) {
    if (map) draw(map, null, text);
    else if (record.heat.length) own();
  }
  strength.addEventListener("input", () => stack.style.setProperty("--strength", strength.value / 100));
  choice.addEventListener("change", () => { chosen = record.heat[choice.value]; own(); });
  stretched.addEventListener("change", own);
  own();
  const controls = make("div", { className: "controls" },
    make("label", {}, "Heat ", strength),
    record.heat.length > 1 ? make("label", {}, "Method ", choice) : null,
    chosen.scale ? make("label", {}, stretched, "Stretch the colours to this image") : null);
  return { element, controls, share };
}

/* Training images */

function pictureOf(key, images, alt) {
  const uri = images[key];
  return uri ? make("img", { src: uri, alt, decoding: "async" }) : make("span", { className: "missing", role: "img", aria: { label: alt } });
}

const otherwise = (neighbours, predicted) => neighbours.filter((one) => one.label !== predicted).length;

/** The path of a training image below the folder of the data; a long one is cut after some lines. */
const pathOf = (path) => make("span", { className: "path", title: path }, named(path));

function tile(one, images, predicted, caption, more = {}) {
  const agrees = one.label === predicted;
  const wrong = one.predicted !== undefined && one.predicted !== one.label;
  const content = [pictureOf(one.image, images, "Training image"),
    make("span", { className: "label" }, named(one.label)), make("span", { className: "value" }, caption), pathOf(one.path),
    wrong ? make("span", { className: "also" }, "predicted ", named(one.predicted)) : null];
  const kind = agrees ? "tile agrees" : "tile disagrees";
  return make("li", { className: kind }, more.act ? make("button", { type: "button", ...more.act }, ...content) : content);
}

const tiles = (list) => make("ul", { className: "tiles" }, list);

function twinsView(record, images, heat) {
  if (!record.twins.length) return null;
  const predicted = record.verdict.as_is;
  let pinned = null;
  const rest = () => (pinned ? heat.share(...pinned) : heat.share(null));
  const list = record.twins.map((twin) => {
    const text = [make("span", { className: "for" }, "Orange"), " raises the similarity to this twin, ", make("span", { className: "against" }, "blue"),
      ` lowers it. The cells add up to the similarity, ${number(twin.similarity)}.`];
    const own = [twin.map, text], show = () => heat.share(...own);
    const act = twin.map && {
      onmouseenter: show, onfocus: show, onmouseleave: rest, onblur: () => { pinned = null; rest(); },
      onclick: () => { pinned = pinned === own ? null : own; rest(); },
    };
    return tile(twin, images, predicted, number(twin.similarity), { act });
  });
  const some = record.twins.some((twin) => twin.map);
  return section("Twins: the most similar training images",
    ["The nearest training images of the class ", named(predicted), ". The number is the similarity: higher is closer.",
      some ? " Hover over one, or tab to it, to see on the image above what the two share." : ""],
    tiles(list));
}

function neighboursView(record, images) {
  const { neighbours, verdict: { as_is: predicted } } = record;
  if (!neighbours.length) return null;
  const against = otherwise(neighbours, predicted);
  const judged = against
    ? [`${against} of the ${neighbours.length} nearest are not labelled `, named(predicted), ": a reason to doubt the prediction."]
    : [`All ${neighbours.length} nearest are labelled `, named(predicted), "."];
  return section("Nearest training images of any class", judged,
    tiles(neighbours.map((one) => tile(one, images, predicted, number(one.similarity)))));
}

/* What would change the prediction */

function counterfactualView(record, images) {
  const other = record.counterfactual;
  if (!other) return null;
  const { cells, rows, columns } = other;
  const grid = make("div", { className: "grid", aria: { hidden: "true" } });
  const partner = images[other.image];
  for (const [row, column] of cells) {
    const cell = make("span", { className: "cell" });
    Object.assign(cell.style, {
      left: `${(100 * column) / columns}%`, top: `${(100 * row) / rows}%`, width: `${100 / columns}%`, height: `${100 / rows}%`,
    });
    if (partner) {
      cell.style.backgroundImage = `url("${partner}")`;
      cell.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
      const part = (n, count) => (count > 1 ? (100 * n) / (count - 1) : 0);
      cell.style.backgroundPosition = `${part(column, columns)}% ${part(row, rows)}%`;
    }
    grid.append(cell);
  }
  const swapped = pictureOf(record.image, images, `The image with ${cells.length} cells of the other`);
  const outcome = other.flips_in_image === null ? ""
    : other.flips_in_image ? " Pasting the same squares into the image changes its prediction, too."
      : " Pasting the same squares into the image does not change its prediction: a cell sees more than its square.";
  return section(["What would change the prediction to ", named(other.to)],
    [`Swapping ${cells.length} of ${rows * columns} cells of the feature maps for those of the other image changes the prediction to `,
      named(other.to), ". This is exact in feature space.", outcome],
    make("div", { className: "side-by-side" },
      make("figure", {}, make("div", { className: "stack" }, swapped, grid), make("figcaption", {}, "This image with the cells swapped")),
      make("figure", {}, pictureOf(other.image, images, `The nearest training image predicted ${other.predicted}`),
        make("figcaption", {}, "The nearest training image predicted otherwise: ", named(other.predicted),
          ...(other.label === other.predicted ? [] : [", though labelled ", named(other.label)]), pathOf(other.path)))));
}

/* Prototypes */

/** Return a square of an image around `place`, `patch` of `size` pixels wide. */
function cutOut(key, images, [y, x], patch, size, alt) {
  const edge = (at) => Math.min(Math.max(at - patch / 2, 0), Math.max(size - patch, 0));
  const part = (at) => (size > patch ? (100 * edge(at)) / (size - patch) : 0);
  const cut = make("span", { className: "cut", role: "img", aria: { label: alt } });
  if (images[key]) {
    cut.style.backgroundImage = `url("${images[key]}")`;
    cut.style.backgroundSize = `${(100 * size) / Math.min(patch, size)}%`;
    cut.style.backgroundPosition = `${part(x)}% ${part(y)}%`;
  }
  return cut;
}

const LISTED = 4;

function prototypesView(record, images) {
  const { prototypes } = record;
  if (!prototypes) return null;
  const order = Object.entries(prototypes.logits).sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const [first, ...others] = order;
  return section("This looks like that: the prototype network",
    ["A second model compares parts of the image with parts of training images, its prototypes. Similarity × weight gives points; the points of a class and its bias add up to its logit. It predicts ",
      named(prototypes.predicted), "."],
    sumView(first, prototypes, record, images),
    others.map((name) => make("details", {}, make("summary", {}, "Sum for ", named(name), `: ${prototypes.logits[name].toFixed(2)}`),
      sumView(name, prototypes, record, images))));
}

function sumView(name, prototypes, record, images) {
  const rows = prototypes.rows.filter((row) => row.class === name).sort((a, b) => b.points - a.points);
  const most = Math.max(...rows.map((row) => Math.abs(row.points)), 1e-9);
  const line = (row) => make("tr", {},
    make("td", {}, cutOut(record.image, images, row.place, row.patch, prototypes.size, "Part of this image")),
    make("td", {}, cutOut(row.source, images, row.source_place, row.patch, prototypes.size, `Prototype ${row.prototype}`)),
    make("td", {}, `Prototype ${row.prototype}`, make("br"), make("small", {}, `${row.similarity.toFixed(2)} × ${row.weight.toFixed(2)}`), pathOf(row.source_path)),
    make("td", { className: "bar-cell" }, make("meter", { className: "points", value: Math.max(0, row.points / most), aria: { label: "points" } })),
    make("td", { className: "number" }, signed(row.points)));
  const total = (text, value) => make("tr", {}, make("th", { scope: "row", colSpan: 3 }, ...[text].flat()),
    make("td", { className: "bar-cell" }), make("td", { className: "number" }, signed(value)));
  const rest = rows.slice(LISTED).reduce((sum, row) => sum + row.points, 0);
  return make("div", { className: "table", tabIndex: 0, role: "region", aria: { label: `Points for ${name}` } },
    make("table", { className: "plain sum" },
      make("thead", {}, make("tr", {}, ["This …", "… looks like that", "similarity × weight", "", "points"].map((text) =>
        make(text ? "th" : "td", text ? { scope: "col" } : { className: "bar-cell" }, text)))),
      make("tbody", {}, rows.slice(0, LISTED).map(line),
        rows.length > LISTED ? total(`${rows.length - LISTED} more prototype${rows.length - LISTED > 1 ? "s" : ""}`, rest) : null,
        total("Bias", prototypes.biases[name])),
      make("tfoot", {}, total(["Logit of ", named(name)], prototypes.logits[name]))));
}

/* Influence */

function influenceView(record, images) {
  if (!record.influence.length) return null;
  return section("The most influential training images",
    "Without one of these in training, the prediction would be weaker (if negative: stronger). The numbers are estimates; only their order matters.",
    tiles(record.influence.map((one) => tile(one, images, record.verdict.as_is, withSign(one.influence)))));
}
