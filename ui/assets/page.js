() => {
  // Gradio labels thumbnails by number and sliders' pictures not at all; screen readers need descriptions.
  const name = () => {
    for (const button of document.querySelectorAll("button.thumbnail-item")) {
      const shows = button.querySelector("img")?.alt;
      if (shows && button.getAttribute("aria-label") !== shows) button.setAttribute("aria-label", shows);
    }
    document.querySelectorAll("#compare-slider img").forEach((image, index) => {
      const shows = index % 2 ? "The second of the two pictures" : "The first of the two pictures";
      if (image.alt !== shows) image.alt = shows;
    });
    for (const slider of document.querySelectorAll("#compare, #regions-compare"))
      slider.querySelectorAll("img").forEach((image, index) => {
        const shows = index % 2 ? "The result" : "The photograph";
        if (image.alt !== shows) image.alt = shows;
      });
    const brushes = { "regions-canvas": [1, 2, 3, 4, 5, 6, 7, 8].map((number) => `Region ${number}`) };
    for (const id of ["regions-strength-map", "style-mask", "style-2-mask", "style-3-mask", "style-4-mask"])
      brushes[`${id}-canvas`] = ["White", "Gray", "Black"];
    for (const [id, names] of Object.entries(brushes))
      document.querySelectorAll(`#${id} button.color`).forEach((swatch, index) => {
        if (swatch.title !== names[index]) swatch.title = swatch.ariaLabel = names[index];
      });
  };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
  // A color mode that a visitor chooses runs at once; one that is restored when the page opens does not.
  document.addEventListener("focusin", (event) => (window.colorTouched ||= !!event.target.closest("#color")));
  // Read the canvas once the brush has paused; its own event would send it at every stroke.
  let painting, resting;
  const began = (event) => (painting = event.target.closest("#regions-canvas"));
  const ended = () => {
    if (!painting) return;
    painting = null;
    clearTimeout(resting);
    resting = setTimeout(() => document.querySelector("#regions-update").click(), 600);
  };
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, began, true);
  for (const kind of ["pointerup", "keyup"]) document.addEventListener(kind, ended, true);
  // Pressing a column header sorts the table by it; pressing it again reverses the order.
  document.addEventListener("click", (event) => {
    const head = event.target.closest(".scores thead button")?.parentElement;
    if (!head) return;
    const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const each of head.parentElement.children) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
    const value = (row) => row.cells[head.cellIndex].dataset.value;
    const order = (a, b) => (head.cellIndex ? value(a) - value(b) : value(a).localeCompare(value(b)));
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort((a, b) => !value(a) - !value(b) || turn * order(a, b)));
  });
  // Starting a run scrolls to the result if it isn't in view, as on a phone.
  document.addEventListener("click", (event) => {
    const stage = event.target.closest("button.run")?.closest(".stage");
    if (!stage) return;
    const result = stage.querySelector(".result");
    const shown = result.querySelector(".outcome, .cells");
    const [bar, box] = [stage.querySelector(".bar"), shown].map((e) => e.getBoundingClientRect());
    const lowest = Math.min(box.bottom, bar.bottom > innerHeight - 2 ? bar.top : innerHeight);
    const highest = Math.max(box.top, bar.top < 2 ? bar.bottom : 0);
    if (lowest - highest > 0.8 * Math.min(box.height, innerHeight / 2)) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    result.scrollIntoView({ behavior: still ? "instant" : "smooth", block: "start" });
  });
  // Gradio's upload icon would remove the picture; open the file chooser instead, and replace the picture by the choice.
  document.addEventListener(
    "click",
    (event) => {
      const block = event.target.closest("button[aria-label='Upload file']")?.closest(".block");
      const file = block?.querySelector("input[type=file]");
      if (!file || block.querySelector("video")) return;
      event.stopPropagation();
      file.click();
    },
    true,
  );
}
