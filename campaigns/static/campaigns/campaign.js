// Shows of the form's steps those that belong to the kind: when it recurs, or when something starts it.
(() => {
  "use strict";
  const kind = document.getElementById("id_kind");
  if (!kind) return;
  const show = () => {
    for (const name of ["recurring", "triggered"]) {
      for (const part of document.querySelectorAll(`.of-${name}`)) {
        (part.closest("fieldset") || part).hidden = kind.value !== name;
      }
    }
  };
  kind.addEventListener("change", show);
  show();
})();
