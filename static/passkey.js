// Passkeys: what the page asks goes to the browser, and its answer comes back in the form. A page without this script, or
// a browser without passkeys, says so in words and offers the other ways.
(() => {
  "use strict";

  const bytes = (text) => {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0)).buffer;
  };
  const text = (buffer) => {
    const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
    return btoa(letters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const known = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

  const make = async ({ publicKey }) => {
    const user = { ...publicKey.user, id: bytes(publicKey.user.id) };
    const asked = { ...publicKey, user, challenge: bytes(publicKey.challenge), excludeCredentials: known(publicKey.excludeCredentials) };
    const made = await navigator.credentials.create({ publicKey: asked });
    return {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      response: {
        attestationObject: text(made.response.attestationObject),
        clientDataJSON: text(made.response.clientDataJSON),
        transports: made.response.getTransports?.() ?? [],
      },
      extensions: {},
    };
  };

  const use = async ({ publicKey }) => {
    const asked = { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: known(publicKey.allowCredentials) };
    const used = await navigator.credentials.get({ publicKey: asked });
    return {
      id: used.id,
      rawId: text(used.rawId),
      type: used.type,
      response: {
        authenticatorData: text(used.response.authenticatorData),
        clientDataJSON: text(used.response.clientDataJSON),
        signature: text(used.response.signature),
        userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
      },
      extensions: {},
    };
  };

  const refusal = (error) => {
    if (error.name === "InvalidStateError") return "This device has a passkey of your account already.";
    return "Your browser gave no passkey. Press the button to try again.";
  };

  // <form data-passkey="make" or "use" data-asked="JSON" data-origin="https://…"> with a hidden field "passkey", a button
  // that waits for this script, and a line of words.
  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    const button = form.querySelector("[data-passkey-button]");
    const words = form.querySelector("[data-passkey-words]");
    if (location.origin !== form.dataset.origin) {
      words.textContent = `Passkeys of this installation hold at ${form.dataset.origin} only, and this page is at ${location.origin}.`;
      return;
    }
    if (!window.PublicKeyCredential || !navigator.credentials) {
      words.textContent = "This browser offers no passkeys here. Use another browser, or another way.";
      return;
    }
    words.textContent = "";
    button.hidden = false;
    form.addEventListener("submit", (event) => {
      if (form.elements.passkey.value) return;
      event.preventDefault();
      button.click();
    });
    button.addEventListener("click", async () => {
      if (!form.reportValidity()) return;
      button.disabled = true;
      words.textContent = "Follow your browser.";
      try {
        const asked = JSON.parse(form.dataset.asked);
        form.elements.passkey.value = JSON.stringify(await (form.dataset.passkey === "make" ? make(asked) : use(asked)));
        form.requestSubmit();
      } catch (error) {
        words.textContent = refusal(error);
        button.disabled = false;
      }
    });
  });
})();
