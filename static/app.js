// Small comforts. Every page works without this file.
(() => {
  "use strict";

  const each = (root, selector, then) => {
    if (root.matches?.(selector)) then(root);
    root.querySelectorAll(selector).forEach(then);
  };

  // A button that shows a secret while it is typed.
  const showButton = (button) => {
    const input = document.getElementById(button.dataset.show);
    if (!input) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      button.textContent = shown ? "Show" : "Hide";
      button.setAttribute("aria-pressed", String(!shown));
    });
  };

  // Exact decimal sums of the ticked rows, per currency, in the row's own scale: no floats near money.
  const units = (text, scale) => {
    const [whole, fraction = ""] = text.split(".");
    return BigInt(whole + fraction.padEnd(scale, "0"));
  };
  const words = (sum, scale) => {
    const digits = sum.toString().padStart(scale + 1, "0");
    const whole = digits.slice(0, digits.length - scale).replace(/\B(?=(\d{3})+$)/g, ",");
    return scale ? `${whole}.${digits.slice(-scale)}` : whole;
  };

  // <form data-selection> holds checkboxes <input data-row data-currency data-amount>, one checkbox data-all, and
  // <output data-sum>. What is chosen on other pages comes from the server in data-elsewhere.
  const selection = (form) => {
    const rows = () => [...form.querySelectorAll("input[data-row]")];
    const all = form.querySelector("input[data-all]");
    const output = form.querySelector("[data-sum]");
    const update = () => {
      const boxes = rows();
      const ticked = boxes.filter((box) => box.checked);
      boxes.forEach((box) => box.closest("tr, li")?.classList.toggle("selected", box.checked));
      if (all) {
        all.hidden = false;
        all.checked = boxes.length > 0 && ticked.length === boxes.length;
        all.indeterminate = ticked.length > 0 && ticked.length < boxes.length;
      }
      form.classList.toggle("has-selection", ticked.length > 0);
      if (!output) return;
      const sums = new Map();
      for (const box of ticked) {
        const scale = (box.dataset.amount.split(".")[1] ?? "").length;
        const [sum] = sums.get(box.dataset.currency) ?? [0n];
        sums.set(box.dataset.currency, [sum + units(box.dataset.amount, scale), scale]);
      }
      const amounts = [...sums].sort().map(([currency, [sum, scale]]) => `${currency} ${words(sum, scale)}`);
      output.textContent = ticked.length === 0
        ? output.dataset.none ?? "Nothing selected"
        : `${ticked.length} of ${boxes.length} selected: ${amounts.join(", ")}`;
    };
    form.addEventListener("change", (event) => {
      if (event.target === all) rows().forEach((box) => { box.checked = all.checked; });
      if (event.target.matches("input[type=checkbox]")) update();
    });
    form.addEventListener("htmx:afterSwap", update);
    update();
  };

  // <button data-dialog="id"> opens a <dialog>; without this script its link or form leads to a page instead.
  const dialogButton = (button) => {
    const dialog = document.getElementById(button.dataset.dialog);
    if (!dialog?.showModal) return;
    button.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.showModal();
    });
    dialog.addEventListener("close", () => button.focus());
  };

  const prepare = (root) => {
    each(root, "button[data-show]", showButton);
    each(root, "form[data-selection]", selection);
    each(root, "[data-dialog]", dialogButton);
    each(root, "[data-focus]", (element) => element.focus());
    each(root, "[data-print]", (button) => {
      button.hidden = false;
      button.addEventListener("click", () => window.print());
    });
  };

  // A menu closes when the person looks elsewhere.
  const closeMenus = (except) => document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
    if (!menu.contains(except)) menu.open = false;
  });
  document.addEventListener("click", (event) => closeMenus(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(null);
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
  });

  // No answer at all: the person is told, politely, and nothing else on the page changes.
  document.addEventListener("htmx:sendError", () => {
    const problem = document.getElementById("problem");
    if (problem) problem.textContent = "The server could not be reached. Nothing was changed. Reload the page to try again.";
  });
  document.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) prepare(event.detail.elt); });
  prepare(document);
})();
