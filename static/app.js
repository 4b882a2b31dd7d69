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

  // A button that copies a field's whole text.
  const copyButton = (button) => {
    const input = document.getElementById(button.dataset.copy);
    if (!input || !navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      input.select();
      await navigator.clipboard.writeText(input.value);
      button.textContent = "Copied";
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

  // <form data-selection> holds a checkbox data-row for each payment with its data-currency and data-amount, below an
  // opened row a checkbox data-single for each of its commissions (data-of names the row), one checkbox data-all for
  // the rows shown, perhaps one data-every for all that match (data-sums tells where their sums are), and an
  // <output data-sum>. A row's hidden field "except" is sent when the row is left out of all that match.
  const selection = (form) => {
    const rows = () => [...form.querySelectorAll("input[data-row]")];
    const singles = () => [...form.querySelectorAll("input[data-single]")];
    const payable = () => rows().filter((box) => !("problem" in box.dataset));
    const all = form.querySelector("input[data-all]");
    const every = form.querySelector("input[data-every]");
    const output = form.querySelector("[data-sum]");
    let matching = null;
    const add = (sums, currency, amount, sign) => {
      const scale = (amount.split(".")[1] ?? "").length;
      const [sum] = sums.get(currency) ?? [0n];
      sums.set(currency, [sum + sign * units(amount, scale), scale]);
    };
    const say = (count, sums) => {
      const amounts = [...sums].filter(([, [sum]]) => sum > 0n).sort();
      return `${count}: ${amounts.map(([currency, [sum, scale]]) => `${currency} ${words(sum, scale)}`).join(", ")}`;
    };
    const sayEvery = () => {
      if (!matching) return "All that match are selected, on every page";
      const sums = new Map();
      matching.sums.forEach(([currency, amount]) => add(sums, currency, amount, 1n));
      const out = payable().filter((box) => !box.checked);
      out.forEach((box) => add(sums, box.dataset.currency, box.dataset.amount, -1n));
      return say(`${matching.rows - out.length} selected on every page`, sums);
    };
    const sayTicked = (ticked) => {
      const sums = new Map();
      ticked.forEach((box) => add(sums, box.dataset.currency, box.dataset.amount, 1n));
      const chosen = new Set(ticked.map((box) => box.dataset.of ?? box.value));
      return ticked.length === 0 ? output.dataset.none : say(`${chosen.size} of ${rows().length} selected`, sums);
    };
    const update = () => {
      const boxes = rows();
      const ticked = [...boxes, ...singles()].filter((box) => box.checked);
      boxes.forEach((box) => {
        box.closest("tr").classList.toggle("selected", box.checked);
        const except = box.parentElement.querySelector("input[name=except]");
        if (except) except.disabled = !every?.checked || box.checked;
      });
      if (all) {
        const can = payable();
        const on = can.filter((box) => box.checked).length;
        all.hidden = false;
        all.checked = can.length > 0 && on === can.length;
        all.indeterminate = on > 0 && on < can.length;
      }
      form.classList.toggle("has-selection", ticked.length > 0 || Boolean(every?.checked));
      if (output) output.textContent = every?.checked ? sayEvery() : sayTicked(ticked);
    };
    const askForSums = async () => {
      const answer = await fetch(every.dataset.sums, { headers: { Accept: "application/json" } }).catch(() => null);
      if (answer?.ok) matching = await answer.json();
      update();
    };
    form.addEventListener("change", ({ target }) => {
      if (target === all) payable().forEach((box) => { box.checked = all.checked; });
      if (target === every) payable().forEach((box) => { box.checked = every.checked; });
      if (target === every && every.checked && !matching) askForSums();
      // A row is paid whole, or only those of its commissions that are ticked.
      if ("row" in target.dataset || target === all || target === every) {
        const whole = new Set(rows().filter((box) => box.checked).map((box) => box.value));
        singles().filter((box) => whole.has(box.dataset.of)).forEach((box) => { box.checked = false; });
      }
      if ("single" in target.dataset) {
        rows().filter((box) => box.value === target.dataset.of).forEach((box) => { box.checked = false; });
      }
      update();
    });
    form.addEventListener("htmx:afterSwap", update);
    update();
  };

  // An opened row closes again, and keeps what was ticked in it.
  const opener = (link) => {
    link.addEventListener("click", (event) => {
      const detail = link.closest("tr").nextElementSibling;
      if (!detail?.matches(".detail")) {
        link.setAttribute("aria-expanded", "true"); // htmx fetches it
        return;
      }
      event.preventDefault();
      detail.hidden = !detail.hidden;
      link.setAttribute("aria-expanded", String(!detail.hidden));
    });
  };

  // A form is sent once. One that takes a while says what is being done (data-busy); what protects from paying twice
  // is the server.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if ("sent" in form.dataset) { event.preventDefault(); return; }
    form.dataset.sent = "";
    form.setAttribute("aria-busy", "true");
    const button = event.submitter;
    if (!form.dataset.busy || !button) return;
    button.setAttribute("aria-disabled", "true");
    button.dataset.words = button.textContent;
    button.textContent = form.dataset.busy;
  });
  // Back on the page by the browser's button, forms can be sent again.
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
    form.querySelectorAll("[data-words]").forEach((button) => {
      button.textContent = button.dataset.words;
      button.removeAttribute("aria-disabled");
    });
  }));

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
    each(root, "button[data-copy]", copyButton);
    each(root, "form[data-selection]", selection);
    each(root, "[data-dialog]", dialogButton);
    each(root, "a[data-opener]", opener);
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
