"use strict";
/* Opens the folded evidence of a section that a link leads to, and all of it for printing. */

const unfold = (section) => section?.querySelectorAll("details").forEach((part) => { part.open = true; });
const followed = () => location.hash.includes("=") || unfold(document.getElementById(location.hash.slice(1))?.closest(".question"));
addEventListener("hashchange", followed);
addEventListener("beforeprint", () => document.querySelectorAll(".question").forEach(unfold));
followed();
