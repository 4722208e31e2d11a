/** Says what tokens and cells have to say, in the browser, when they are pointed at or reached by keys. */
"use strict";

for (const group of document.querySelectorAll(".notes")) {
  const readout = group.querySelector(".readout");
  const speakers = [...group.querySelectorAll("[data-note]")];
  // One stop of the Tab key; the arrow keys go on from there.
  speakers.forEach((element, i) => element.tabIndex = i === 0 ? 0 : -1);
  const speak = ({ target }) => {
    const speaker = target.closest("[data-note]");
    if (speaker) readout.textContent = speaker.dataset.note;
  };
  const silence = () => readout.textContent = "";
  group.addEventListener("pointerover", speak);
  group.addEventListener("focusin", speak);
  group.addEventListener("pointerleave", ({ pointerType }) => {
    // A finger leaves as soon as it has tapped; what it asked for stays.
    if (pointerType === "mouse") silence();
  });
  group.addEventListener("focusout", silence);
  group.addEventListener("keydown", (event) => {
    const at = speakers.indexOf(document.activeElement);
    const row = document.activeElement.closest("tr");
    const across = row ? row.querySelectorAll("[data-note]").length : 1;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    const next = speakers[at + step];
    if (at < 0 || !next || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    speakers[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}
