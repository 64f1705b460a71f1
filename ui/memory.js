() => {
  // The tab is in the address: opening the address opens the tab, and Back goes to the tab before.
  const tabs = () => [...document.querySelectorAll('[role="tab"][id^="tab-"]')];
  const named = (tab) => tab.id.replace(/^tab-|-button$/g, "");
  const open = () => {
    const wanted = tabs().find((tab) => named(tab) === location.hash.slice(1)) ?? (location.hash ? null : tabs()[0]);
    if (wanted && wanted.getAttribute("aria-selected") !== "true") wanted.click();
  };
  let told = null;
  const tell = () => {
    const chosen = tabs().find((tab) => tab.getAttribute("aria-selected") === "true");
    if (!chosen || named(chosen) === told) return;
    const [before, now] = [told, (told = named(chosen))];
    const inAddress = location.hash.slice(1) || named(tabs()[0]);
    if (before !== null && inAddress !== now) history.pushState(null, "", `#${now}`);
  };
  tell();
  open();
  new MutationObserver(tell).observe(document.body, { subtree: true, attributeFilter: ["aria-selected"] });
  addEventListener("popstate", open);
}
