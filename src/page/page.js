// Keeps a page true while somebody looks at it. Without it a page can be read and its forms work.
const live = document.querySelector("[data-live]");
const pulse = document.getElementById("pulse");

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
];
const span = (seconds) => {
  const whole = Math.max(1, Math.floor(seconds));
  const index = UNITS.findIndex(([, size]) => whole >= size);
  const [unit, size] = UNITS[index];
  if (unit === "s") return `${whole}s`;
  const [small, smallSize] = UNITS[index + 1];
  return `${Math.floor(whole / size)}${unit}${String(Math.floor((whole % size) / smallSize)).padStart(2, "0")}${small}`;
};

const set = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const tick = () => {
  for (const time of document.querySelectorAll("time[data-age], time[data-since]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    if ("since" in time.dataset) set(time, span(seconds));
    else set(time, seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`);
  }
};

const isAtEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
const toEnd = (log) => void (log.scrollTop = log.scrollHeight);

// What does not change stays: who reads or has the focus there is not disturbed.
const sameBut = (one, other) => {
  const [left, right] = [one, other].map((element) => {
    const copy = element.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.textContent = "";
    return copy.outerHTML;
  });
  return left === right;
};
const replace = (old, fresh) => {
  const logs = [...old.querySelectorAll("[data-tail]")].map((log) => (isAtEnd(log) ? null : log.scrollTop));
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("value") : null;
  old.replaceWith(fresh);
  [...fresh.querySelectorAll("[data-tail]")].forEach((log, index) => {
    if (logs[index] == null) toEnd(log);
    else log.scrollTop = logs[index];
  });
  if (focused) [...fresh.querySelectorAll("button")].find((button) => button.value === focused)?.focus();
};
const show = (markup) => {
  const parsed = new DOMParser().parseFromString(`<div>${markup}</div>`, "text/html").body.firstElementChild;
  const old = [...live.children];
  const fresh = [...parsed.children].map((element) => document.adoptNode(element));
  if (old.length !== fresh.length) {
    // A part has come or gone.
    live.replaceChildren(...fresh);
    for (const log of live.querySelectorAll("[data-tail]")) toEnd(log);
  } else {
    // An empty template stands for what has not changed.
    old.forEach((element, index) => {
      if (fresh[index].localName !== "template" && !sameBut(element, fresh[index])) replace(element, fresh[index]);
    });
  }
  document.title = live.querySelector("[data-title]")?.dataset.title.concat(" · Reeve") ?? document.title;
  tick();
};

const say = (text, state) => {
  pulse.hidden = false;
  pulse.dataset.state = state;
  set(pulse, text);
};

const RETRY_MS = 10_000;
let events = null;
let retry;
const close = () => {
  events?.close();
  events = null;
  clearTimeout(retry);
};
const open = () => {
  close();
  events = new EventSource(location.href);
  events.addEventListener("open", () => say("live", "live"));
  events.addEventListener("page", (event) => show(event.data));
  events.addEventListener("gone", () => {
    close();
    say("deleted", "gone");
  });
  events.addEventListener("error", () => {
    say("not connected", "lost");
    if (events?.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
  });
};

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask;
  if (question && !confirm(question)) event.preventDefault();
});

// A list gets another input when its last one is used.
document.addEventListener("input", ({ target }) => {
  const items = target.closest?.("[data-items]");
  if (!items || target !== items.lastElementChild || target.value === "") return;
  const next = target.cloneNode();
  next.value = "";
  next.removeAttribute("value");
  next.id = `${target.id}-`;
  next.setAttribute("aria-label", `${target.name}, item ${items.children.length + 1}`);
  items.append(next);
});

for (const log of document.querySelectorAll("[data-tail]")) toEnd(log);
setInterval(tick, 1000);

// Browsers have few connections to a server, and a page that nobody sees needs none.
const openIfSeen = () => void (document.hidden ? close() : events || open());
if (live) {
  document.addEventListener("visibilitychange", openIfSeen);
  addEventListener("pagehide", close);
  addEventListener("pageshow", openIfSeen);
}
