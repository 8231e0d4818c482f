// Touching a step shows where its evidence lies; touching a mark shows which step cites it.
(() => {
  "use strict";
  const plots = [...document.querySelectorAll(".lanes .plot")];
  const bands = plots.map((plot) => {
    const band = document.createElement("div");
    band.className = "band";
    band.hidden = true;
    plot.append(band);
    return band;
  });
  let pinned = null;

  const light = (step) => {
    document.querySelectorAll(".lit").forEach((one) => one.classList.remove("lit"));
    bands.forEach((band) => { band.hidden = !step; });
    if (!step) return;
    const { t0, t1, cues, step: id } = step.dataset;
    bands.forEach((band) => {
      band.style.left = `${t0}%`;
      band.style.width = `${Math.max(0.3, t1 - t0)}%`;
    });
    document.querySelectorAll("[data-step]").forEach((one) => {
      one.classList.toggle("lit", one.dataset.step === id);
    });
    const cited = new Set((cues || "").split(" "));
    document.querySelectorAll("[data-cue]").forEach((one) => {
      one.classList.toggle("lit", cited.has(one.dataset.cue));
    });
  };

  const stepOf = (id) => document.getElementById(id);

  document.querySelectorAll("li[data-step], a[data-step]").forEach((one) => {
    const step = () => stepOf(one.dataset.step);
    one.addEventListener("pointerenter", () => light(step()));
    one.addEventListener("pointerleave", () => light(pinned));
    one.addEventListener("focus", () => light(step()));
    one.addEventListener("blur", () => light(pinned));
    one.addEventListener("click", (event) => {
      event.preventDefault();
      pinned = pinned === step() ? null : step();
      light(pinned || step());
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { pinned = null; light(null); }
    if (event.key === "Enter" && event.target.matches("li[data-step]")) event.target.click();
  });
})();
