// What the page does besides being read. Without it nothing is missing but this: names of points beside the pointer and by the
// arrow keys, sides that can be hidden, tables that can be searched and ordered, a command that can be copied.
"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  // Points say what they are: the nearest to the pointer, or that which the arrow keys reach.
  const tip = document.getElementById("tip");
  let current = null;
  const place = () => {
    if (!current) return;
    const at = current.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const middle = at.left + at.width / 2 - box.width / 2;
    tip.style.left = Math.max(4, Math.min(middle, document.documentElement.clientWidth - box.width - 4)) + "px";
    tip.style.top = (at.top - box.height - 8 < 0 ? at.bottom + 8 : at.top - box.height - 8) + "px";
  };
  const show = (point) => {
    if (current === point) return;
    if (current) current.classList.remove("at");
    current = point;
    tip.hidden = !point;
    if (!point) return;
    point.classList.add("at");
    tip.textContent = point.dataset.title;
    place();
  };
  for (const title of all(".dots title, .hit title")) {
    title.parentNode.dataset.title = title.textContent;
    title.remove(); // the browser would show it too
  }
  for (const chart of all(".points")) {
    const points = () => all(".dots use", chart).filter((p) => p.getClientRects().length);
    chart.tabIndex = 0;
    chart.addEventListener("pointermove", (event) => {
      let best = null, least = 40 * 40;
      for (const p of points()) {
        const r = p.getBoundingClientRect();
        const d = (r.left + r.width / 2 - event.clientX) ** 2 + (r.top + r.height / 2 - event.clientY) ** 2;
        if (d < least) [best, least] = [p, d];
      }
      show(best);
    });
    chart.addEventListener("pointerleave", () => show(null));
    chart.addEventListener("blur", () => show(null));
    chart.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") show(null);
      if (!by) return;
      event.preventDefault();
      const list = points(), i = list.indexOf(current);
      show(list[i < 0 ? (by > 0 ? 0 : list.length - 1) : (i + by + list.length) % list.length]);
    });
  }
  for (const part of all(".hit")) {
    part.addEventListener("pointerenter", () => show(part));
    part.addEventListener("pointerleave", () => show(null));
  }
  addEventListener("scroll", place, { passive: true });

  // The legend hides sides, where there are two.
  const sides = all(".sides li");
  if (sides.length > 1) {
    for (const side of sides) {
      const label = side.querySelector("b"), button = make("button", { type: "button", title: "show or hide in the pictures" });
      button.setAttribute("aria-pressed", "true");
      label.replaceWith(button);
      button.append(label);
      button.addEventListener("click", () => {
        const hidden = document.body.classList.toggle("hide" + side.dataset.side);
        button.setAttribute("aria-pressed", String(!hidden));
      });
    }
  }

  // Tables of several rows can be searched by name, and that of times ordered.
  const value = (body, stat) => {
    const data = body.querySelector(`[data-stat="${stat}"]`);
    return data ? Number(data.value) : -Infinity;
  };
  const orders = {
    "as measured": (a, b) => a.dataset.row - b.dataset.row,
    "largest change first": (a, b) => Math.abs(value(b, "ratio")) - Math.abs(value(a, "ratio")),
    "slowest first": (a, b) => value(b, "median") - value(a, "median"),
  };
  const tools = (table, rows, ordered) => {
    if (rows.length < 3) return;
    const count = make("span", { className: "soft" }), search = make("input", { type: "search" });
    count.setAttribute("role", "status");
    const bar = make("div", { className: "tools" }, make("label", {}, "Rows with ", search));
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      for (const row of rows) {
        const text = row.querySelector("code").textContent.toLowerCase();
        row.hidden = !words.every((w) => text.includes(w));
        n += !row.hidden;
      }
      count.textContent = words.length ? n + " of " + rows.length : "";
    });
    if (ordered) {
      const select = make("select", {}, ...Object.keys(orders).map((o) => make("option", {}, o)));
      bar.append(make("label", {}, "Order ", select));
      select.addEventListener("change", () => table.append(...rows.sort(orders[select.value])));
    }
    bar.append(count);
    table.parentNode.before(bar);
  };
  for (const table of all("#times")) tools(table, all("tbody", table), true);
  for (const table of all("#all:not(.single)")) tools(table, all("tbody tr[data-row]", table), false);

  // The command can be copied.
  const command = document.getElementById("command");
  if (command) {
    const button = make("button", { type: "button", textContent: "Copy" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(command);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    command.closest(".command").append(button);
  }

  // Browsers cut off long data: addresses; a blob has no limit.
  for (const link of all("a[download]")) {
    link.addEventListener("click", (event) => {
      const base64 = link.getAttribute("href").split(",")[1];
      if (!link.getAttribute("href").startsWith("data:") || base64.length < 1 << 20) return;
      event.preventDefault();
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const url = URL.createObjectURL(new Blob([bytes], { type: "text/plain" }));
      make("a", { href: url, download: link.download }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60000);
    });
  }
})();
