"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);
  const every = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const { duration, segments, words } = JSON.parse(find("#times").textContent);
  const audio = find("#audio"), play = find("#play"), chart = find(".chart");
  const seek = find("#seek"), scroller = find("#scroller"), follow = find("#follow");
  const rows = every(".segments > li"), lanes = every("[data-lane]");
  const latest = []; // latest end of the segments up to each
  segments.forEach(([, end], n) => latest.push(Math.max(end, n ? latest[n - 1] : 0)));
  const SKIP_S = 5, NEAR_S = 0.01;
  const AGAIN_S = 1; // of playing a turn, in which a step back leads to the turn before
  let resting = 0; // position while there is no sound
  let following = true, marked = [], markedWord = null;

  const hasSound = () => Boolean(audio.currentSrc || audio.getAttribute("src"));
  const position = () => (hasSound() ? audio.currentTime : resting);
  const timeOf = (link) => Number(link.getAttribute("href").slice(3));

  function clock(seconds) {
    const all = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
    const [hours, minutes] = [Math.floor(all / 3600), Math.floor(all / 60) % 60];
    return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
  }

  /** Number of the first of the ranges, by start, that starts after a time. */
  function firstAfter(ranges, time) {
    let low = 0, high = ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ranges[middle][0] <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function goingOn(time) {
    const found = [];
    for (let n = firstAfter(segments, time) - 1; n >= 0 && latest[n] > time; n--)
      if (segments[n][1] > time) found.unshift(n);
    return found;
  }

  function show() {
    const time = position();
    chart.style.setProperty("--at", Math.min(1, time / duration));
    find("#now").textContent = clock(time);
    seek.setAttribute("aria-valuenow", Math.floor(time));
    seek.setAttribute("aria-valuetext", clock(time));
    const found = goingOn(time);
    if (found.join() !== marked.join()) mark(found);
    markWord(time);
  }

  function mark(found) {
    marked.forEach((n) => rows[n].classList.remove("now"));
    lanes.forEach((lane) => lane.classList.remove("now"));
    for (const n of found) {
      rows[n].classList.add("now");
      lanes[segments[n][2]]?.classList.add("now");
    }
    marked = found;
    if (found.length) reveal(rows[found[0]]);
  }

  function markWord(time) {
    let next = null;
    for (const n of marked) {
      const place = words[n] ? firstAfter(words[n], time) - 1 : -1;
      if (place >= 0 && words[n][place][1] > time) next = every("p > span", rows[n])[place];
    }
    if (next === markedWord) return;
    markedWord?.classList.remove("now");
    next?.classList.add("now");
    markedWord = next;
  }

  function reveal(row) {
    if (!following) return;
    const top = row.offsetTop - scroller.clientHeight / 3;
    const near = Math.abs(top - scroller.scrollTop) < scroller.clientHeight;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    scroller.scrollTo({ top, behavior: near && !calm ? "smooth" : "auto" });
  }

  function setFollowing(value) {
    following = value;
    follow.hidden = value;
    if (value && marked.length) reveal(rows[marked[0]]);
  }

  function go(time) {
    resting = Math.max(0, Math.min(duration, time));
    if (hasSound()) audio.currentTime = resting;
    show();
  }

  function playFrom(time) {
    go(time);
    if (hasSound()) audio.play().catch(() => {});
  }

  const toggle = () => (audio.paused ? playFrom(position()) : audio.pause());

  /** To the next turn or the one before, from the focused link or from the position. */
  function step(direction) {
    const link = document.activeElement.closest("a.time, .bars a");
    const group = link && every("a.time, .bars > a", link.closest("ol, .bars"));
    const next = group?.[group.indexOf(link) + direction];
    if (next) {
      next.focus();
      go(timeOf(next));
    } else if (!group) {
      const time = position();
      const back = audio.paused ? NEAR_S : AGAIN_S;
      const n = direction > 0 ? firstAfter(segments, time + NEAR_S)
        : firstAfter(segments, time - back) - 1;
      if (segments[n]) go(segments[n][0]);
    }
  }

  function onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select, input"))
      return;
    const actions = {
      " ": event.target.closest("button, summary") || !hasSound() ? null : toggle,
      ArrowLeft: () => go(position() - SKIP_S),
      ArrowRight: () => go(position() + SKIP_S),
      ArrowUp: () => step(-1),
      ArrowDown: () => step(1),
    };
    const action = actions[event.key];
    if (!action || (event.target === scroller && event.key !== " ")) return;
    event.preventDefault();
    action();
  }

  function onClick(event) {
    const link = event.target.closest('a[href^="#t="]');
    const word = event.target.closest(".segments p > span");
    if (link) {
      event.preventDefault();
      playFrom(timeOf(link));
    } else if (word) {
      const row = word.closest("li");
      playFrom(words[rows.indexOf(row)][every("p > span", row).indexOf(word)][0]);
    }
  }

  function onSeek(event) {
    if (event.buttons !== 1) return;
    const box = seek.getBoundingClientRect();
    go(((event.clientX - box.left) / box.width) * duration);
  }

  function fromAddress() {
    const found = location.hash.match(/^#t=([\d.]+)$/);
    if (found) go(Number(found[1]));
  }

  /** One link of a group is reached with Tab, the others with the arrow keys. */
  function rove(group, links) {
    links.slice(1).forEach((link) => link.setAttribute("tabindex", "-1"));
    let reached = links[0];
    group.addEventListener("focusin", (event) => {
      const link = event.target.closest("a");
      if (!link || !reached) return;
      reached.setAttribute("tabindex", "-1");
      link.setAttribute("tabindex", "0");
      reached = link;
    });
  }

  function animate() {
    show();
    if (!audio.paused) requestAnimationFrame(animate);
  }

  function showState() {
    play.classList.toggle("playing", !audio.paused);
    play.setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    animate();
  }

  function enable() {
    find("#controls").hidden = false;
    for (const each of every("[data-sounding]")) each.hidden = !hasSound();
    audio.controls = false;
    audio.hidden = true;
  }

  document.documentElement.classList.add("scripted");
  enable();
  Object.entries({
    role: "slider", tabindex: 0, "aria-label": "Position", "aria-valuemin": 0,
    "aria-valuemax": Math.floor(duration),
  }).forEach(([key, value]) => seek.setAttribute(key, value));
  every(".bars, .segments").forEach((each) => rove(each, every("a", each)));
  for (const each of every(".wide"))
    if (each.scrollWidth > each.clientWidth) each.setAttribute("tabindex", "0");
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  seek.addEventListener("pointerdown", (event) => {
    seek.setPointerCapture(event.pointerId);
    onSeek(event);
  });
  seek.addEventListener("pointermove", onSeek);
  play.addEventListener("click", toggle);
  for (const kind of ["play", "pause", "ended"]) audio.addEventListener(kind, showState);
  audio.addEventListener("seeked", show);
  audio.addEventListener("error", () => {
    find("#problem").textContent = "This browser cannot play the sound.";
  });
  find("#rate").addEventListener("change", (event) => {
    audio.playbackRate = Number(event.target.value);
  });
  find("#choose")?.removeAttribute("hidden");
  find("#file")?.addEventListener("change", ({ target }) => {
    if (audio.src) URL.revokeObjectURL(audio.src);
    find("#problem").textContent = "";
    if (target.files.length) audio.src = URL.createObjectURL(target.files[0]);
    enable();
    go(resting);
  });
  for (const kind of ["wheel", "touchmove", "pointerdown"])
    scroller?.addEventListener(kind, (event) => {
      if (kind !== "pointerdown" || event.target === scroller) setFollowing(false);
    }, { passive: true });
  scroller?.addEventListener("keydown", (event) => {
    if (/^(Page|Home|End)/.test(event.key) || event.target === scroller) setFollowing(false);
  });
  follow?.addEventListener("click", () => setFollowing(true));
  addEventListener("hashchange", fromAddress);
  fromAddress();
  show();
})();
