() => {
  // Gradio names thumbnails by number and leaves the slider's pictures unnamed; screen readers need what they show.
  const name = () => {
    for (const button of document.querySelectorAll("button.thumbnail-item")) {
      const shows = button.querySelector("img")?.alt;
      if (shows && button.getAttribute("aria-label") !== shows) button.setAttribute("aria-label", shows);
    }
    for (const slider of document.querySelectorAll("#compare, #regions-compare"))
      slider.querySelectorAll("img").forEach((image, index) => {
        const shows = index % 2 ? "The result" : "The photograph";
        if (image.alt !== shows) image.alt = shows;
      });
  };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
  // Where the result lies below what is seen, as on a phone, a run brings it up.
  document.addEventListener("click", (event) => {
    const run = event.target.closest("#run, #controls-run, #regions-run");
    const shown = { run: "#compare", "controls-run": "#controls-gallery", "regions-run": "#regions-status" };
    const result = run && document.querySelector(shown[run.id]);
    if (result && result.getBoundingClientRect().top > window.innerHeight - 160)
      result.scrollIntoView({ behavior: "smooth", block: "center" });
  });
}
