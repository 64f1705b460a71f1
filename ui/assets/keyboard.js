() => {
  // One tab stop per group with arrow keys inside it, and focus that survives removed elements.
  const all = (where, what) => [...where.querySelectorAll(what)];
  const seen = (e) => e.isConnected && !e.disabled && e.checkVisibility({ visibilityProperty: true });
  const set = (e, name, value) => e.getAttribute(name) !== value && e.setAttribute(name, value);
  const first = (what) => all(document, what).find(seen);
  const RUN = "#run, #compare-run, #controls-run, #regions-run";
  const STOP = "#stop, #compare-stop, #controls-stop, #regions-stop";
  const FOCUSABLE = "button, input, select, textarea, a[href], [tabindex]";

  // Groups: a tab list; a picture's buttons with the thumbnails beside it; a gallery; a picture's corner of buttons.
  const groups = () => {
    const found = new Map(all(document, "[role=tablist]").map((e) => [e, "[role=tab]"]));
    const fields = all(document, ".block:has(> .image-container input[type=file]), .block:has(.grid-container)");
    for (const block of fields) {
      const column = block.closest(".column");
      const whole = column.querySelector(".strip") && column.querySelector(".image-container input[type=file]");
      if (whole && all(column, ".strip").length === 1) found.set(column, ".image-container button, .strip button");
      else found.set(block, "button");
    }
    for (const corner of all(document, ".icon-button-wrapper"))
      if (![...found.keys()].some((e) => e.contains(corner))) found.set(corner, "button");
    return found;
  };
  const items = (group, what) => all(group, what).filter(seen);
  const preferred = (each) =>
    each.find((e) => e.ariaSelected === "true") ?? each.find((e) => e.ariaLabel === "Upload file") ?? each[0];
  const rove = () => {
    for (const [group, what] of groups()) {
      const each = items(group, what);
      const stop = each.find((e) => e === document.activeElement) ?? each.find((e) => e.dataset.stop) ?? preferred(each);
      for (const e of each) {
        if (e.tabIndex !== (e === stop ? 0 : -1)) e.tabIndex = e === stop ? 0 : -1;
        if (e !== stop) delete e.dataset.stop;
      }
      for (const e of all(group, ".grid-wrap")) set(e, "tabindex", "-1"); // scrollable elements are tab stops by default
      group.toggleAttribute("data-roving", true);
      group.roving = what;
      if (group.role !== "tablist" && !group.closest("[role=toolbar]") && each.length > 1) {
        set(group, "role", "toolbar");
        const label = group.querySelector("label, [data-testid=block-label]")?.innerText.trim();
        set(group, "aria-label", label || "The picture's buttons");
      }
    }
    // Radio buttons with the same name form one tab stop with arrow keys; Gradio names each differently.
    for (const box of all(document, "fieldset.block")) {
      const name = box.id || (box.id = `choice-${Math.random().toString(36).slice(2)}`);
      for (const radio of all(box, "input[type=radio]")) if (radio.name !== name) radio.name = name;
      set(box, "role", "radiogroup".repeat(+!!box.querySelector("input[type=radio]")) || "group");
      const title = box.querySelector("[data-testid=block-info]");
      if (title) set(box, "aria-label", title.innerText.trim());
    }
  };
  const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const step = (event) => {
    const group = event.target.closest("[data-roving]");
    if (!group || !(event.key in MOVES) || event.altKey || event.ctrlKey || event.metaKey) return;
    const each = items(group, group.roving);
    const at = each.indexOf(event.target);
    if (at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const move = MOVES[event.key];
    const next = Number.isFinite(move) ? (at + move + each.length) % each.length : move < 0 ? 0 : each.length - 1;
    for (const e of each) delete e.dataset.stop;
    each[next].dataset.stop = 1;
    each[next].focus();
    rove();
  };

  // Comparison sliders: Gradio's handle supports only the mouse.
  const position = (handle) => {
    const box = handle.parentNode.getBoundingClientRect();
    const picture = handle.parentNode.querySelector("img");
    const width = Math.min(box.width, (box.height * picture?.naturalWidth) / picture?.naturalHeight || box.width);
    const at = parseFloat(handle.style.transform.slice(11)) || 0;
    return { box, width, left: (box.width - width) / 2, share: Math.round((100 * (at - (box.width - width) / 2)) / width) };
  };
  const describe = (handle) => {
    const share = Math.max(0, Math.min(100, position(handle).share));
    const names = all(handle.parentNode, "img").map((e) => e.alt);
    set(handle, "aria-valuenow", `${share}`);
    set(handle, "aria-valuetext", `${share}% ${names[0] ?? "first"}, ${100 - share}% ${names[1] ?? "second"}`);
  };
  const compare = () => {
    for (const handle of all(document, "[data-testid=slider]")) {
      set(handle, "role", "slider");
      set(handle, "tabindex", "0");
      set(handle, "aria-label", "Divider between the two pictures");
      set(handle, "aria-valuemin", "0");
      set(handle, "aria-valuemax", "100");
      describe(handle);
    }
  };
  const slide = (event) => {
    const handle = event.target;
    if (handle.dataset?.testid !== "slider" || !(event.key in MOVES)) return;
    event.preventDefault();
    const { box, width, left, share } = position(handle);
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key] ?? MOVES[event.key];
    const next = Math.max(0, Math.min(100, share + up * (event.shiftKey ? 1 : 5)));
    const where = { clientX: box.left + left + (next * width) / 100, clientY: box.top + 1, view: window, bubbles: true };
    handle.dispatchEvent(new MouseEvent("mousedown", where));
    window.dispatchEvent(new MouseEvent("mouseup", where));
    requestAnimationFrame(() => describe(handle));
  };

  // Shortcuts.
  const short = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      first(RUN)?.click();
    }
    const open = document.fullscreenElement || event.target.ariaExpanded === "true" || first(".fullscreen, dialog[open]");
    if (event.key === "Escape" && !event.defaultPrevented && !open) first(STOP)?.click();
  };

  // If the focused element disappears (a removed picture, or Stop after it stopped), focus moves to a nearby element.
  let last, path = [], asked;
  const near = () => {
    if (last.matches(STOP)) return first(RUN);
    for (const parent of path) {
      if (!seen(parent)) continue;
      const each = all(parent, FOCUSABLE).filter((e) => seen(e) && e.tabIndex >= 0);
      if (each.length) return each.find((e) => e.ariaLabel && e.ariaLabel === last.ariaLabel) ?? each[0];
    }
  };
  const restoreFocus = () => {
    asked = null;
    if (!last || (document.activeElement && document.activeElement !== document.body)) return;
    if (seen(last)) last = null; // focus was moved away on purpose
    else near()?.focus({ preventScroll: true });
  };
  document.addEventListener("focusin", ({ target }) => {
    last = target;
    path = [];
    for (let e = target.parentElement; e && e !== document.body; e = e.parentElement) path.push(e);
  });

  // A run's status is read out: its steps every five seconds, its end and Stop immediately.
  const SAID = 5000;
  let heard = 0;
  const speak = () => {
    for (const e of all(document, ".note[id$=status], .note[id$=status-stopped]")) {
      set(e, "role", "status");
      set(e, "aria-atomic", "true");
      if (e.innerText === e.was) continue;
      e.was = e.innerText;
      const under_way = /\b(step|pass|position)\b.* \d+ of \d+|: \d+ of \d+\./i.test(e.was);
      const quiet = under_way && performance.now() - heard < SAID;
      set(e, "aria-live", quiet ? "off" : "polite");
      if (!quiet) heard = performance.now();
      for (const times of all(e, ".time-list")) set(times, "aria-live", "off");
    }
  };

  // Headings and a skip link for screen reader and keyboard users.
  const title = (where, level, words) => {
    if (!where || where.querySelector(":scope > .spoken")) return;
    const heading = Object.assign(document.createElement(level), { className: "spoken", textContent: words });
    where.prepend(heading);
  };
  const head = () => {
    for (const panel of all(document, "[role=tabpanel]")) {
      const run = panel.querySelector(RUN);
      if (!run) continue;
      const name = first("[role=tablist] [aria-selected=true]")?.innerText;
      if (seen(panel) && name) title(panel, "h2", name);
      title(panel.querySelector(".inputs"), "h3", "Photograph and painting");
      title(panel.querySelector(".result"), "h3", "Result");
      title(panel.querySelector(".more"), "h3", "Settings");
      set(run, "aria-keyshortcuts", "Control+Enter");
    }
    for (const stop of all(document, STOP)) set(stop, "aria-keyshortcuts", "Escape");
    if (document.querySelector(".skip")) return;
    const skip = document.createElement("button");
    Object.assign(skip, { className: "skip", type: "button", textContent: "Skip to the run button (Ctrl+Enter presses it)" });
    const go = () => {
      first(RUN)?.focus();
      if (document.activeElement === skip) requestAnimationFrame(go); // the button does not exist yet
    };
    skip.addEventListener("click", go);
    document.querySelector(".gradio-container").prepend(skip);
  };

  // Remove Gradio's duplicate labels, and add roles where it labels without one.
  const mend = () => {
    for (const e of all(document, "footer img:not([alt=''])")) e.alt = "";
    for (const e of all(document, ".empty[aria-label]")) set(e, "role", "img");
  };

  const update = () => {
    rove();
    mend();
    compare();
    head();
    restoreFocus();
  };
  const watch = new MutationObserver(() => {
    speak(); // immediately: aria-live must be set before the change is rendered
    asked ??= requestAnimationFrame(update);
  });
  const what = { childList: true, subtree: true, characterData: true, attributes: true };
  watch.observe(document.body, { ...what, attributeFilter: ["disabled", "class", "style", "hidden", "aria-selected"] });
  document.addEventListener("focusout", () => (asked ??= requestAnimationFrame(update)));
  document.addEventListener("keydown", step, true);
  document.addEventListener("keydown", slide);
  document.addEventListener("keydown", short);
  speak();
  update();
}
