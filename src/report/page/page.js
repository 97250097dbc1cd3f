"use strict";
// What the page can do beyond being read: curves that answer, tables that sort and filter, cells that show their pictures.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  // Curves: a line at the epoch nearest to the pointer, and its numbers below.
  const curves = document.querySelector(".curves");
  if (curves && data.panels.length && data.epochs.length) {
    const svg = curves.querySelector("svg");
    const reading = document.getElementById("reading");
    const cursors = data.panels.map((panel) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", "cursor");
      line.setAttribute("y1", panel.place[1]);
      line.setAttribute("y2", panel.place[3]);
      line.style.visibility = "hidden";
      return svg.appendChild(line);
    });
    let at = -1;
    const number = (value, digits) => (value === null ? "–" : value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(digits));
    const show = (index) => {
      at = Math.max(0, Math.min(data.epochs.length - 1, index));
      const epoch = data.epochs[at];
      data.panels.forEach((panel, i) => {
        const [left, , right] = panel.place;
        const x = left + ((epoch.epoch - panel.x[0]) / (panel.x[1] - panel.x[0])) * (right - left);
        cursors[i].setAttribute("x1", x);
        cursors[i].setAttribute("x2", x);
        cursors[i].style.visibility = "visible";
      });
      let text = `epoch ${epoch.epoch}: loss ${number(epoch.train_loss, 4)}, top-1 ${number(epoch.train_top1, 2)} %`;
      if (epoch.val_top1 !== null) text += `; val loss ${number(epoch.val_loss, 4)}, top-1 ${number(epoch.val_top1, 2)} %`;
      reading.textContent = `${text}; learning rate ${epoch.lr.toExponential(2)}; ${number(epoch.seconds, 1)} s`;
    };
    curves.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      const panel = data.panels.find(({ place: [left, top, right, bottom] }) => x >= left && x <= right && y >= top && y <= bottom);
      if (!panel) return;
      const [left, , right] = panel.place;
      const epoch = panel.x[0] + ((x - left) / (right - left)) * (panel.x[1] - panel.x[0]);
      let nearest = 0;
      data.epochs.forEach((one, i) => {
        if (Math.abs(one.epoch - epoch) < Math.abs(data.epochs[nearest].epoch - epoch)) nearest = i;
      });
      show(nearest);
    });
    curves.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: data.epochs.length - 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      show(at < 0 && event.key === "ArrowLeft" ? data.epochs.length - 1 : steps[event.key]);
    });
  }

  // Tables: a press on a column's name sorts by it, a second one turns the order round.
  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
  };
  for (const button of document.querySelectorAll(".sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const body = head.closest("table").tBodies[0];
      const isNumber = head.classList.contains("number");
      // Of numbers the least first, too: the worst class is what one looks for.
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
    const texts = rows.map((row) => Array.from(row.cells, (cell) => ("value" in cell.dataset ? "" : cell.textContent)).join("\n").toLowerCase());
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

  // Confusion: the pictures behind a number.
  const behind = document.getElementById("behind");
  const cells = new Map((data.cells || []).map((cell) => [`${cell.class},${cell.predicted}`, cell]));
  for (const button of document.querySelectorAll("[data-cell]")) {
    button.addEventListener("click", () => {
      document.querySelectorAll(".chosen").forEach((other) => other.classList.remove("chosen"));
      button.classList.add("chosen");
      const cell = cells.get(button.dataset.cell);
      const [truth, predicted] = [data.labels[cell.class], data.labels[cell.predicted]];
      const isRight = cell.class === cell.predicted;
      const list = make("ul", undefined, "tiles");
      for (const place of cell.pictures) {
        const picture = data.pictures[place];
        const item = make("li", undefined, isRight ? "right" : "wrong");
        const image = make("img", undefined, Math.max(...picture.size) <= 64 ? "small" : "");
        image.src = picture.uri;
        image.alt = image.title = picture.name;
        item.append(image, make("bdi", predicted), " ", make("small", `${(100 * picture.probability).toFixed(0)} %`));
        if (!isRight) {
          const is = make("em", "is ");
          is.append(make("bdi", truth));
          item.append(is);
        }
        list.append(item);
      }
      const some = cell.pictures.length < cell.images ? `, of which ${cell.pictures.length} here` : "";
      const title = make("h3");
      title.append(make("bdi", truth), ...(isRight ? [" recognised"] : [" taken for ", make("bdi", predicted)]), `: ${cell.images}${some}`);
      behind.replaceChildren(title, list);
      behind.hidden = false;
      behind.focus({ preventScroll: true });
      behind.scrollIntoView({ block: "nearest" });
    });
  }

  // What is folded is unfolded on paper.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => (details.open = true)));
})();
