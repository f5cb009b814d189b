"use strict";
/* Two explanations of one image, by two models. Needs explanation.js. */

/**
 * Show both in `element`: their heat maps on one picture, a slider between them, and their detail views.
 * @param {Element} element emptied first
 * @param {[string, object, Object<string, string>]} first its title, record and pictures
 * @param {[string, object, Object<string, string>]} second the same
 */
function showComparison(element, first, second) {
  const views = [first, second].map(([title, record, images]) => {
    const body = make("div", { className: "explanation" });
    showExplanation(body, record, images);
    return make("div", {}, make("h4", {}, named(title)), body);
  });
  element.replaceChildren(...[betweenHeats(first, second), make("div", { className: "compared" }, views)].filter(Boolean));
}

/** Return the picture of the second with both heat maps, the first left of a slider; null without heat. */
function betweenHeats([before, one, _], [after, other, images]) {
  if (!one.heat.length || !other.heat.length) return null;
  const [left, right] = [one, other].map(({ heat }) => {
    const canvas = make("canvas", { className: "heat", aria: { hidden: "true" } });
    drawHeat(canvas, heat[0].map, heat[0].scale);
    return canvas;
  });
  const line = make("span", { className: "divide", aria: { hidden: "true" } });
  const stack = make("div", { className: "stack" }, pictureOf(other.image, images, other.name), left, right, line);
  const slider = make("input", { type: "range", min: 0, max: 100, value: 50, aria: { label: `Heat map of ${before} on the left, of ${after} on the right` } });
  const divide = () => {
    left.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
    right.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    line.style.left = `${slider.value}%`;
  };
  slider.addEventListener("input", divide);
  divide();
  return make("figure", { className: "heated between" }, stack,
    make("figcaption", {}, make("label", {}, named(before), slider, named(after))));
}
