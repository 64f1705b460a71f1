() => {
  // The URL's hash names the open tab: opening the URL opens that tab, and Back returns to the previous one.
  const tabs = () => [...document.querySelectorAll('[role="tab"][id^="tab-"]')];
  const named = (tab) => tab.id.replace(/^tab-|-button$/g, "");
  const open = () => {
    const wanted = tabs().find((tab) => named(tab) === location.hash.slice(1)) ?? (location.hash ? null : tabs()[0]);
    if (wanted && wanted.getAttribute("aria-selected") !== "true") wanted.click();
  };
  let current_tab = null;
  const update_hash = () => {
    const chosen = tabs().find((tab) => tab.getAttribute("aria-selected") === "true");
    if (!chosen || named(chosen) === current_tab) return;
    const [before, now] = [current_tab, (current_tab = named(chosen))];
    const inAddress = location.hash.slice(1) || named(tabs()[0]);
    if (before !== null && inAddress !== now) history.pushState(null, "", `#${now}`);
  };
  update_hash();
  open();
  new MutationObserver(update_hash).observe(document.body, { subtree: true, attributeFilter: ["aria-selected"] });
  addEventListener("popstate", open);

  // A result is marked as outdated when the settings or pictures differ from those it was made with. Gradio passes a
  // tab's values whenever one changes, and each run reports its start. Stop's state tells whether a run is in progress,
  // and the pictures' URLs tell whether it has made one.
  const RESULTS = {
    stylize: ["", "#compare img"],
    compare: ["compare-", "#compare-cells img"],
    controls: ["controls-", "#controls-gallery img"],
    regions: ["regions-", "#regions-compare img"],
  };
  const states = Object.fromEntries(Object.keys(RESULTS).map((name) => [name, { painted: 0, pictures: "", seen: 0 }]));
  const current = (name) => {
    const regions = name === "regions" ? document.querySelector("#regions-painted")?.textContent.trim() : "";
    return JSON.stringify([states[name].values, states[name].painted, regions]);
  };
  const update = () => {
    for (const [name, [prefix, shown]] of Object.entries(RESULTS)) {
      const state = states[name];
      const mark = document.querySelector(`#${prefix}old p`);
      if (!mark || !state.values) continue;
      const pictures = [...document.querySelectorAll(shown)].map((image) => image.src).join();
      const running = document.querySelector(`#${prefix}stop`)?.disabled === false;
      const now = current(name);
      if (state.begins) [state.asked, state.begins, state.seen] = [now, false, Date.now()];
      if (pictures !== state.pictures && state.asked) state.made = state.asked;
      state.pictures = pictures;
      if (running) state.seen = Date.now();
      else if (state.asked && Date.now() - state.seen > 1500) state.asked = undefined; // its picture may arrive late
      if (Date.now() < state.loading) state.made = now;
      const old = pictures && now !== state.made && now !== state.asked;
      if (state.asked || Date.now() < state.loading) setTimeout(soon, 700);
      const words = old ? mark.dataset.words : "";
      if (mark.textContent !== words) mark.textContent = words;
    }
  };
  let waiting;
  const soon = () => (waiting ??= setTimeout(() => ((waiting = undefined), update()), 300)); // avoids flicker between live runs
  window.settingsAre = (name, ...values) => {
    states[name].values = values.map((value) => value?.path ?? value);
    states[name].made ??= current(name); // what the page opens with
    soon();
  };
  window.runBegins = (stop) => {
    for (const [name, [prefix]] of Object.entries(RESULTS)) if (stop === `${prefix}stop`) states[name].begins = true;
    soon();
  };
  window.resultIsLoaded = (name) => {
    states[name].loading = Date.now() + 1000; // the settings loaded with it arrive a moment later
    soon();
  };
  new MutationObserver(soon).observe(document.body, {
    childList: true,
    subtree: true,
    attributeFilter: ["src", "disabled"],
  });
  const MASKS = ["[id$='-mask-canvas']", "[id$='-map-canvas']"];
  const PAINTED = MASKS.map((each) => `${each} canvas`).join();
  const CHANGES = ["Undo", "Redo", "Clear canvas"].flatMap((name) => MASKS.map((each) => `${each} [aria-label='${name}']`));
  const PRESSED = [...CHANGES, "[id$='-mask-clear']", "[id$='-map-clear']"].join();
  const painted = (what) => (event) => {
    const tab = event.target.closest(what)?.closest("[role='tabpanel'][id^='tab-']");
    if (!tab) return;
    states[tab.id.slice(4)].painted += 1;
    soon();
  };
  document.addEventListener("pointerup", painted(PAINTED), true);
  document.addEventListener("click", painted(PRESSED), true); // also fires for the keyboard
}
