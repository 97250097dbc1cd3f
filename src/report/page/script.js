"use strict";
// What the page can do beyond being read: charts that answer, tables that sort and filter, images that open.
(() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const make = (name, className, ...children) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    element.append(...children);
    return element;
  };

  // Charts: a line at the nearest epoch or step in all of them, and its values below.
  const charts = document.querySelector(".charts");
  const reading = document.getElementById("reading");
  // Of models side by side the one with the most epochs says where there are some.
  const models = data.models || [];
  const epochs = data.epochs || models.reduce((most, model) => (model.epochs.length > most.length ? model.epochs : most), []);
  const steps = data.steps || [];
  if (charts && reading && epochs.length) {
    const figures = Array.from(charts.querySelectorAll(".chart"), (figure) => ({
      plot: figure.querySelector(".plot"),
      cursor: figure.querySelector(".cursor"),
      x: figure.dataset.x.split(" ").map(Number),
    }));
    const number = (value, digits) => (value === null ? "–" : value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(digits));
    let at = -1;
    const mark = (position) => {
      for (const { cursor, x } of figures) {
        cursor.hidden = false;
        cursor.style.left = `${(100 * (position - x[0])) / (x[1] - x[0])}%`;
      }
    };
    const showEpoch = (index) => {
      at = Math.max(0, Math.min(epochs.length - 1, index));
      const epoch = epochs[at];
      mark(epoch.epoch);
      if (models.length) {
        const values = models.map(({ name, epochs: own }) => [name, own.find((one) => one.epoch === epoch.epoch)]).filter(([, one]) => one);
        const texts = values.map(([name, one]) => `${name}: ${one.val_top1 === null ? `training top-1 ${number(one.train_top1, 2)} %` : `validation top-1 ${number(one.val_top1, 2)} %, loss ${number(one.val_loss, 4)}`}`);
        reading.replaceChildren(make("b", "", `epoch ${epoch.epoch}`), ` – ${texts.join("; ")}`);
        return;
      }
      let text = `: training loss ${number(epoch.train_loss, 4)}, top-1 ${number(epoch.train_top1, 2)} %`;
      if (epoch.val_top1 !== null) text += `; validation loss ${number(epoch.val_loss, 4)}, top-1 ${number(epoch.val_top1, 2)} %`;
      reading.replaceChildren(make("b", "", `epoch ${epoch.epoch}`), `${text}; learning rate ${number(epoch.lr, 4)}; ${number(epoch.seconds, 1)} s`);
    };
    const showStep = ([step, epoch, loss, rate]) => {
      mark(epoch);
      reading.replaceChildren(make("b", "", `step ${step}`), ` (epoch ${Math.ceil(epoch - 1e-9)}): batch loss ${number(loss, 4)}, learning rate ${number(rate, 4)}`);
    };
    const nearest = (list, place, of) => list.reduce((best, one, i) => (Math.abs(of(one) - place) < Math.abs(of(list[best]) - place) ? i : best), 0);
    const point = (event) => {
      const figure = figures.find(({ plot }) => plot.contains(event.target));
      if (!figure) return;
      const box = figure.plot.getBoundingClientRect();
      const width = figure.x[1] - figure.x[0];
      const place = figure.x[0] + ((event.clientX - box.left) / box.width) * width;
      const epoch = nearest(epochs, place, (one) => one.epoch);
      // An epoch's end is easy to hit.
      if (!steps.length || Math.abs(epochs[epoch].epoch - place) < (8 / box.width) * width) showEpoch(epoch);
      else showStep(steps[nearest(steps, place, (one) => one[1])]);
    };
    charts.addEventListener("pointermove", point);
    charts.addEventListener("pointerdown", point);
    charts.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: at + 1, ArrowLeft: at < 0 ? epochs.length - 1 : at - 1, Home: 0, End: epochs.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      showEpoch(moves[event.key]);
    });
  }

  // Tables: a press on a column's name sorts by it, a second press reverses the order.
  const whole = (cell) => cell.querySelector("bdi[title]")?.title ?? cell.textContent;
  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : whole(cell);
  };
  for (const button of document.querySelectorAll(".sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const body = head.closest("table").tBodies[0];
      const isNumber = head.classList.contains("number");
      const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const rows = Array.from(body.rows, (row) => [value(row, head.cellIndex), row]);
      rows.sort(([a], [b]) => direction * (isNumber ? a - b || 0 : a.localeCompare(b)));
      body.append(...rows.map(([, row]) => row));
    });
  }
  for (const input of document.querySelectorAll("input[data-table]")) {
    const rows = Array.from(document.getElementById(input.dataset.table).tBodies[0].rows);
    const texts = rows.map((row) => Array.from(row.cells, (cell) => ("value" in cell.dataset ? "" : whole(cell))).join("\n").toLowerCase());
    const output = input.closest(".filter").querySelector("output");
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      rows.forEach((row, i) => {
        row.hidden = !texts[i].includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      output.textContent = wanted ? `${shown} of ${rows.length}` : "";
    });
  }

  // Images: those behind a number, or one alone, in a dialog that Esc closes.
  const viewer = document.getElementById("viewer");
  const body = viewer.querySelector(".body");
  const title = document.getElementById("viewer-title");
  const label = (index) => make("bdi", "", data.labels[index]);
  const verdict = (image) => {
    // A comparison has what each of two models made of it.
    const predictions = image.predictions || [[null, image.predicted, image.probability]];
    return predictions.map(([model, predicted, probability]) => {
      const line = make("span", "verdict");
      if (model !== null) line.append(make("span", "model", make("bdi", "", model), ": "));
      if (predicted === image.class) line.append(make("span", "correct", "✓"), " ", label(predicted));
      else line.append(label(image.class), " → ", make("b", "mistake", label(predicted)));
      line.append(" ", make("span", "percent", `${(100 * probability).toFixed(0)} %`));
      return line;
    });
  };
  const imageElement = (image, className) => {
    const img = make("img", Math.max(...image.size) <= 64 ? `${className} small` : className);
    img.src = image.uri;
    img.alt = image.name;
    img.style.setProperty("--shape", `${image.size[0]} / ${image.size[1]}`);
    return img;
  };
  const file = (image) => make("span", "file", ...image.name.split(/(?<=\/)/).flatMap((part) => [part, make("wbr")]));
  const open = (...heading) => {
    title.replaceChildren(...heading);
    if (!viewer.open) viewer.showModal();
    body.scrollTop = 0;
  };
  let turn = null;
  const enlarge = (places, index, heading, back) => {
    const at = (index + places.length) % places.length;
    const image = data.images[places[at]];
    const bar = make("div", "bar");
    // The buttons are new; the one that was pressed keeps the focus.
    const pressed = body.contains(document.activeElement) ? document.activeElement.textContent : null;
    const button = (text, action) => {
      const one = make("button", "", text);
      one.type = "button";
      one.addEventListener("click", action);
      bar.append(one);
    };
    turn = (by) => enlarge(places, at + by, heading, back);
    if (places.length > 1) button("‹ Previous", () => turn(-1));
    if (back) button("All", back);
    if (places.length > 1) button("Next ›", () => turn(1));
    const caption = make("p", "caption", ...verdict(image), file(image));
    open(...heading(), places.length > 1 ? ` · ${at + 1} of ${places.length}` : "");
    body.replaceChildren(imageElement(image, "zoom"), caption, bar);
    Array.from(bar.children).find((one) => one.textContent === pressed)?.focus();
  };
  const list = (places, heading) => {
    turn = null;
    if (places.length === 1) return enlarge(places, 0, heading, null);
    const items = places.map((place, index) => {
      const image = data.images[place];
      const button = make("button", "", imageElement(image, ""), ...verdict(image), file(image));
      button.type = "button";
      button.addEventListener("click", () => enlarge(places, index, heading, () => list(places, heading)));
      return make("li", "", button);
    });
    open(...heading());
    body.replaceChildren(make("ul", items.length > 3 ? "tiles many" : "tiles", ...items));
  };
  const cells = new Map((data.cells || []).map((cell) => [`${cell.class},${cell.predicted}`, cell]));
  for (const button of document.querySelectorAll("[data-cell]")) {
    button.addEventListener("click", () => {
      const cell = cells.get(button.dataset.cell);
      const some = cell.thumbnails.length < cell.images ? `: ${cell.thumbnails.length} of ${cell.images} images` : "";
      list(cell.thumbnails, () => {
        const arrow = cell.class === cell.predicted ? [" → ", make("span", "correct", label(cell.predicted))] : [" → ", make("span", "mistake", label(cell.predicted))];
        return [label(cell.class), ...arrow, some];
      });
    });
  }
  for (const group of document.querySelectorAll(".tiles")) {
    const buttons = Array.from(group.querySelectorAll("[data-image]"));
    const places = buttons.map((button) => Number(button.dataset.image));
    buttons.forEach((button, index) => button.addEventListener("click", () => enlarge(places, index, () => [group.closest("section").querySelector("h2").textContent], null)));
  }
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && turn) turn(by);
    if (event.key === "Escape") viewer.close();
  });

  // The command: a button that copies it.
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    const code = button.parentNode.querySelector("code");
    button.addEventListener("click", async () => {
      let copied = true;
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        // A page from a file may lack the right to the clipboard.
        getSelection().selectAllChildren(code);
        copied = document.execCommand("copy");
      }
      button.textContent = copied ? "Copied" : "Press Ctrl-C";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
  }

  // Links: the section in view is marked.
  const links = new Map(Array.from(document.querySelectorAll("nav a"), (link) => [link.hash.slice(1), link]));
  if ("IntersectionObserver" in window) {
    const seen = new Set();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) seen[isIntersecting ? "add" : "delete"](target.id);
        const current = Array.from(links.keys()).filter((id) => seen.has(id)).pop();
        for (const [id, link] of links) {
          if (id === current) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        }
        // On narrow screens the links are wider than the screen.
        const link = links.get(current);
        const bar = link?.parentNode;
        bar?.scrollTo({ left: link.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2 });
      },
      { rootMargin: "0px 0px -70% 0px" },
    );
    for (const id of links.keys()) observer.observe(document.getElementById(id));
  }

  // Paper has no folds; the recipe repeats the settings.
  addEventListener("beforeprint", () => document.querySelectorAll("details:not(:has(pre))").forEach((details) => (details.open = true)));
})();
