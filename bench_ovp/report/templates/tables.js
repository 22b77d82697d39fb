// Tables that sort by their headings and are filtered by words and by columns; without scripts they stay as they are.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const status = make("p", { role: "status", class: "status" });
  let sorted = "";

  const tell = () => {
    const shown = rows.filter((row) => !row.hidden).length;
    const all = `${rows.length} row${rows.length === 1 ? "" : "s"}`;
    status.textContent = (shown < rows.length ? `${shown} of ${all}` : all) + sorted;
  };

  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.key ?? cell.textContent.trim();
    const number = { inf: Infinity, nan: Infinity }[text] ?? Number(text || NaN);
    return Number.isNaN(number) ? text : number;
  };
  const compare = (one, other) =>
    typeof one === "number" && typeof other === "number"
      ? one - other || 0
      : String(one).localeCompare(String(other), undefined, { numeric: true });

  headings.forEach((heading, column) => {
    if (heading.classList.contains("plain")) return;
    const button = make("button", { type: "button" }, ...heading.childNodes);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const upward = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", upward ? "ascending" : "descending");
      rows.sort((a, b) => (upward ? 1 : -1) * compare(key(a, column), key(b, column)));
      table.tBodies[0].append(...rows);
      for (const row of rows) row.classList.remove("next");
      sorted = `, sorted by ${button.textContent.trim()}, ${upward ? "smallest" : "largest"} first`;
      tell();
    });
  });

  if (table.classList.contains("filterable") && rows.length > 1) {
    const text = make("input", { type: "search", placeholder: "any words" });
    const words = make("label", {}, make("span", {}, "filter"), text);
    const value = (row, column) => row.cells[column].dataset.filter ?? row.cells[column].textContent.trim();
    const choices = headings.flatMap((heading, column) => {
      const values = [...new Set(rows.map((row) => value(row, column)))];
      if (!heading.dataset.filter || values.length < 2) return [];
      const options = [["", "all"], ...values.map((each) => [each, each])];
      return [[column, ...offerChoice(heading.dataset.filter, options)]];
    });
    const contents = new Map(rows.map((row) => {
      const titles = [...row.querySelectorAll("[title]")].map((node) => node.title);
      return [row, [row.textContent, ...titles].join(" ").toLowerCase()];
    }));
    const filter = () => {
      const wanted = text.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        const chosen = choices.every(([column, , select]) => !select.value || select.value === value(row, column));
        row.hidden = !(chosen && wanted.every((word) => contents.get(row).includes(word)));
      }
      tell();
    };
    const bar = make("div", { class: "bar", role: "group", "aria-label": `Filter: ${table.ariaLabel ?? "table"}` },
      words, ...choices.map(([, label]) => label), status);
    bar.addEventListener("input", filter);
    table.parentElement.before(bar);
  } else if (rows.length > 1) {
    table.parentElement.before(status);
    status.classList.add("unseen");
  }
  tell();
}
