/* The app: pictures in, the detail view of explanation.js out; cards and downloads of gallery.js.
   What it shows lives in this tab only. File names are text, never HTML. */

const AT_A_TIME = 2, PATIENCE = 30, MOST = 1000, MOST_COMPARED = 4;

const part = (id) => document.getElementById(id);
const pause = (seconds) => new Promise((done) => { setTimeout(done, 1000 * seconds); });

let about;
const ready = fetch("/about").then((response) => response.json()).then((told) => { about = told; });
const images = {};
let entries = [], ticked = new Set(), queue = [], busy = 0, done = 0, total = 0, made = 0, many = AT_ONCE;
let writing = Promise.resolve(), cleared = 0;

/* Asking the server */

/** Return the server's answer on a file; an Error with one line if there is none. */
async function explained(file) {
  if (file.size > about.limits.bytes) {
    throw new Error(`larger than ${about.limits.bytes.toLocaleString("en")} bytes; scale the image down`);
  }
  for (let tried = 0; ; tried++) {
    const response = await fetch("/explain", { method: "POST", body: file }).catch(() => null);
    if (!response) throw new Error("no answer; is the file readable and the app still running?");
    const retry = response.headers.get("Retry-After");
    if (response.status === 503 && retry && tried < PATIENCE) {
      await pause(retry);
      continue;
    }
    const answer = await response.json().catch(() => ({ error: `the app failed (status ${response.status})` }));
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }
}

/** Put files in the queue, and explain them. */
async function accept(files) {
  try {
    await ready;
  } catch {
    fail(`${files.length} image${files.length > 1 ? "s" : ""}`, "the app did not answer when this page was loaded; reload it");
    return;
  }
  const taken = files.slice(0, MOST);
  if (files.length > MOST) fail(`${files.length - MOST} more images`, `at most ${MOST} at a time; add them later`);
  if (!busy && !queue.length) [done, total] = [0, 0];
  total += taken.length;
  queue.push(...taken.map((file) => ({ file, alone: files.length === 1 })));
  report();
  while (busy < AT_A_TIME && queue.length) work();
}

async function work() {
  busy++;
  for (let next = queue.shift(); next; next = queue.shift()) {
    const name = next.file.webkitRelativePath || next.file.name || "pasted image", since = cleared;
    const answer = await explained(next.file).catch((error) => error);
    if (since !== cleared) continue;
    if (answer instanceof Error) fail(name, answer.message);
    else add(name, answer, next.alone);
    done++;
    report();
  }
  busy--;
  report();
}

function report() {
  part("work").hidden = total < 2 || done >= total;
  part("progress").max = total;
  part("progress").value = done;
  const failed = part("failures").childElementCount;
  part("status").textContent = done < total
    ? `Explaining ${total === 1 ? "the image" : `${total} images`} …`
    : total ? `${entries.length} in this tab` + (failed ? `, ${failed} could not be explained` : "") : "";
}

function fail(name, reason) {
  part("failures").append(make("li", {}, named(name), `: ${reason}`));
}

/* What this tab holds */

function add(name, { record, images: pictures, row, project }, show) {
  const image = `picture ${made++}`;
  for (const [key, uri] of Object.entries(pictures)) images[key === record.image ? image : key] = uri;
  const known = project ? { label: project.label, split: project.split } : {};
  const entry = { name, row: { ...row, name }, project, record: { ...record, ...known, name, image } };
  entry.review = { ...NO_MARK, ...project?.review };
  entries.unshift(entry);
  draw();
  const isTyping = document.activeElement?.matches("input[type=text]");
  if (show && !isTyping) display([entry]);
}

function draw() {
  part("history").hidden = !entries.length;
  redraw(part("list"), entries.slice(0, many).map(cardWithTick));
  part("more").hidden = entries.length <= many;
  const marked = entries.filter(({ review }) => review.mark).length;
  part("reviews").hidden = about.reviews || !marked;
  part("reviews").textContent = `Download reviews.csv (${marked} marked)`;
  part("verdicts").textContent = `Download verdicts.csv (${entries.length})`;
  part("compare").disabled = ticked.size < 2;
}

/** Put `cards` into a list; what had the focus has it again. */
function redraw(list, cards) {
  const focused = document.activeElement, card = list.contains(focused) && focused.closest("li");
  const keyOf = (one) => one.querySelector(".thumb").dataset.key;
  list.replaceChildren(...cards);
  const again = card && cards.find((one) => keyOf(one) === keyOf(card));
  if (again) again.querySelector(focused.matches("input") ? "input" : ".thumb").focus({ preventScroll: true });
}

function cardWithTick(entry) {
  const card = cardOf(entry.record, images, entry.review, () => display([entry]));
  const tick = make("input", {
    type: "checkbox", checked: ticked.has(entry), aria: { label: `Compare ${entry.name}` },
    onchange: ({ target }) => {
      if (target.checked) ticked.add(entry);
      else ticked.delete(entry);
      if (ticked.size > MOST_COMPARED) {
        ticked.delete(entry);
        target.checked = false;
        part("status").textContent = `At most ${MOST_COMPARED} images side by side`;
      }
      part("compare").disabled = ticked.size < 2;
    },
  });
  card.append(make("label", { className: "tick" }, tick, "compare"));
  return card;
}

/** Show the detail views of `chosen`, side by side if there are several. */
function display(chosen) {
  part("shown").className = chosen.length > 1 ? "compared" : "";
  part("shown").replaceChildren(...chosen.map(detailOf));
  part("shown").querySelector("h2").focus({ preventScroll: true });
  part("shown").scrollIntoView({ block: "start" });
}

function detailOf(entry) {
  const title = make("h2", { tabIndex: -1 }, named(entry.name));
  const body = make("div");
  showExplanation(body, entry.record, images);
  const article = make("article", { className: "explanation" },
    make("div", { className: "titled" }, title,
      make("button", { type: "button", onclick: close }, "Close")),
    body, reviewOf(entry));
  function close() {
    article.remove();
    (part("shown").querySelector("h2") ?? part("list").querySelector(".thumb"))?.focus();
  }
  return article;
}

/* Label review */

function reviewOf(entry) {
  const { project, review } = entry;
  if (!project && (about.reviews || about.labels.length)) return null;
  const said = make("span", { role: "status", className: "muted" });
  const others = (about.labels.length ? about.labels : about.classes).filter((name) => name !== project?.folder);
  const place = project ? ["An image of this project: ", named(project.path), ` (${project.split}).`]
    : ["Not an image of this project: reviews.csv will name it ", named(entry.name), "."];
  async function changed() {
    draw();
    if (!about.reviews) return;
    said.textContent = "Writing …";
    writing = writing.then(() => kept(entry));
    said.textContent = await writing;
  }
  return reviewForm(review, others, changed,
    make("p", { className: "muted" }, ...place, " The next dvc repro applies reviews.csv in the folder data.info. "), said);
}

/** Send a review to be kept; return what became of it. */
async function kept({ project, review }) {
  const response = await fetch("/reviews", {
    method: "POST", body: JSON.stringify({ path: project.path, ...review }), headers: { "Content-Type": "application/json" },
  }).catch(() => null);
  if (response?.ok) return review.mark ? "Written to reviews.csv" : "Not marked in reviews.csv";
  const told = await response?.json().catch(() => ({ error: `the app failed (status ${response.status})` }));
  return `Not written: ${told?.error ?? "no answer"}`;
}

/* Tables */

function table(columns, rows) {
  const lines = [columns, ...rows.map((row) => columns.map((name) => String(row[name] ?? "")))];
  return lines.map((line) => line.map(csvCell).join(",")).join("\n") + "\n";
}

function verdicts() {
  const columns = [...new Set(entries.flatMap(({ row }) => Object.keys(row)))];
  return table(columns, entries.map(({ row }) => ({ ...row, name: csvPath(row.name) })).reverse());
}

function reviews() {
  return reviewsCsv(entries.map(({ name, project, review }) => [project?.path ?? name, review]).reverse());
}

/* Drop, paste, choose, camera */

/** Return the files below an entry of a drop; those of a folder with their path. */
async function filesBelow(entry) {
  if (entry.isFile) {
    const file = await new Promise((got) => { entry.file(got, () => got(null)); });
    if (file && entry.fullPath.lastIndexOf("/") > 0) Object.defineProperty(file, "webkitRelativePath", { value: entry.fullPath.slice(1) });
    return file ? [file] : [];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((got) => { reader.readEntries(got, () => got([])); });
    if (!some.length) return found;
    for (const one of some) found.push(...await filesBelow(one));
  }
}

const isShown = (file) => !(file.webkitRelativePath || file.name).split("/").some((name) => name.startsWith("."));

async function dropped(transfer) {
  const entered = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entered.length) return [...transfer.files];
  return (await Promise.all(entered.map(filesBelow))).flat().filter(isShown);
}

const root = document.documentElement;
const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    root.classList.add("over");
  });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) root.classList.remove("over"); });
addEventListener("drop", async (event) => {
  root.classList.remove("over");
  if (!holdsFiles(event)) return;
  event.preventDefault();
  accept(await dropped(event.dataTransfer));
});
addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (!files.length) return;
  event.preventDefault();
  accept(files);
});
for (const id of ["files", "folder"]) {
  part(id).addEventListener("change", ({ target }) => {
    accept([...target.files].filter(isShown));
    target.value = "";
  });
}

const viewfinder = part("viewfinder"), video = part("video");
part("camera").hidden = !navigator.mediaDevices?.getUserMedia;
part("camera").addEventListener("click", async () => {
  part("camera").disabled = true;
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  } catch (error) {
    fail("Camera", `not available (${error.name}); allow it in the browser, or choose a file`);
    report();
    return;
  } finally {
    part("camera").disabled = false;
  }
  viewfinder.showModal();
  await video.play();
});
viewfinder.addEventListener("close", () => {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
});
part("leave").addEventListener("click", () => viewfinder.close());
part("take").addEventListener("click", () => {
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const name = `camera ${new Date().toLocaleTimeString("en", { hour12: false })}.png`;
  canvas.toBlob((blob) => { if (blob) accept([new File([blob], name)]); }, "image/png");
  viewfinder.close();
});

part("stop").addEventListener("click", () => { total -= queue.length; queue = []; report(); });
part("compare").addEventListener("click", () => display(entries.filter((entry) => ticked.has(entry))));
part("verdicts").addEventListener("click", () => download("verdicts.csv", verdicts()));
part("reviews").addEventListener("click", () => download("reviews.csv", reviews()));
part("more").addEventListener("click", () => { many += AT_ONCE; draw(); });
part("list").addEventListener("keydown", (event) => moveFocus(part("list"), event));
part("clear").addEventListener("click", () => {
  [entries, ticked, many, queue] = [[], new Set(), AT_ONCE, []];
  cleared++;
  for (const key of Object.keys(images)) delete images[key];
  part("shown").replaceChildren();
  part("failures").replaceChildren();
  [done, total] = [0, 0];
  draw();
  report();
  part("files").focus();
});
