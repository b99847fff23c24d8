// The wall screen: a snapshot of the alerts and its position, then the live stream. No library, no build step.
const STATUS = ["raised", "acknowledged", "dispatched", "on_scene", "stood_down"]; // an alert only moves forward
const DOOR = ["", "acknowledge", "dispatch", "on-scene"]; // of the API, by the index of the status it leads to
const DONE = ["", "tiếp nhận", "điều lực lượng", "đến nơi", "kết thúc"], SENDING = "Đang gửi…";
const SEVERITY = ["", "Nguy cấp", "Khẩn", "Chú ý", "Ghi nhận"], FIRE = /^(forest_)?fire$/;
const KEYS = { KeyA: 1, KeyD: 2, KeyS: 3 }, MOVES = { ArrowDown: 1, KeyJ: 1, ArrowUp: -1, KeyK: -1 };
// Seconds of a stroke or a pause, and the loop in strokes (1) and pauses (0); severity 4 is a record and makes no sound.
const SOUNDS = { fire: [0.5, "10101000"], 1: [0.1, "10"], 2: [0.4, "1010000"], 3: [0.8, "10000000"] };
// fire: the three pulses of ISO 8201; 1: rapid without end, as the village gong says "come at once"
const TIME = new Intl.DateTimeFormat("vi-VN", { timeZone: "Asia/Ho_Chi_Minh", timeStyle: "medium" });
const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS, notes = new Map(), waves = {}, audio = new AudioContext();
const STORED = "vong-gac-token"; // in localStorage: a television that restarts at night goes on by itself
let token = localStorage.getItem(STORED), tick = { notices: [] }, names = new Map(), alerts = new Map(), rows = [];
let link = new AbortController(), wake, position = null, heardAt = 0, brokenAt = 0, triedAt = 0, waitS = 1;
let selected, actedAt = 0, soundsHere = !navigator.locks, mutedUntil = 0, source;

const $ = (id) => document.getElementById(id);
const put = (node, text) => { if (node.textContent !== text) node.textContent = text; node.hidden = !text; };
const ms = Date.parse, now = () => Date.now() + (tick.aheadMs ?? 0); // every clock here counts by the server's time
const clock = (instant) => TIME.format(new Date(instant)), nameOf = (code) => names.get(code) ?? code;
const waits = (alert) => alert.status === "raised", rank = (alert) => STATUS.indexOf(alert.status);
const startOfDay = () => new Date(Math.floor((now() + 7 * HOUR_MS) / DAY_MS) * DAY_MS - 7 * HOUR_MS).toISOString();
const hearTick = (told) => { tick = { ...tick, ...told, aheadMs: ms(told.server_time) - Date.now() }; };
const reconnect = () => { link.abort(); wake?.(); };
const mute = () => paint((mutedUntil = mutedUntil > Date.now() ? 0 : Date.now() + 60_000));
const target = (step) => // whom a key acts on: the selected alert; A also the first that waits, but not if pressed twice
  rows.find((alert) => alert.id === selected && rank(alert) < step) ??
  (step === 1 && Date.now() - actedAt > 3000 ? rows.find(waits) : undefined);
const progress = (alert) => [1, 2, 3, 4].filter((i) => alert[`${STATUS[i]}_at`])
  .map((i) => `${alert[`${STATUS[i]}_by`] ?? ""} ${DONE[i]} ${clock(alert[`${STATUS[i]}_at`])}`).join(" · ");
const sounds = (alert) => alert.severity < 4 && alert.status !== "stood_down" && alert.rang_at > (alert.acknowledged_at ?? "")
  && ((waits(alert) && !alert.late) || now() - alert.heardAt < (alert.rings > 1 ? 30_000 : 6000));
// Severity, then who still waits, then the newest ring; the alerts of one incident stay together.
const order = (a) => `${a.severity}${waits(a) ? 0 : 1}${1e14 - ms(a.rang_at)}${a.incident_id}${a.unit.code}`;

async function call(path, body, signal = AbortSignal.timeout(10_000)) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Last-Event-ID": position };
  const answer = await fetch(path, { method: body ? "POST" : "GET", body, headers, signal, cache: "no-store" });
  if (answer.status === 401 && !path.includes("redeem")) signOut("Mã truy cập không đúng hoặc đã hết hạn.");
  if (!answer.ok) throw await answer.json();
  return path === "/v1/stream" ? answer.body.getReader() : answer.json();
}
async function list(path, query) {
  const page = await call(`${path}?${new URLSearchParams({ limit: 500, ...query })}`);
  return page.next ? { ...page, items: [...page.items, ...(await list(path, { ...query, cursor: page.next })).items] } : page;
}
async function snapshot() {
  const [kinds, units] = await Promise.all([list("/v1/kinds"), list("/v1/units")]), before = alerts;
  names = new Map(kinds.items.map(({ code, vi }) => [code, vi]));
  for (const { kind, name, commune_codes } of units.items) {
    const commune = name.replace(/^Công an (.)/, (_, letter) => letter.toUpperCase());
    if (kind === "commune_police") commune_codes.forEach((code) => names.set(code, commune));
  }
  const { items: open, stream_from, server_time, held_old } = await list("/v1/alerts", { status: "open" });
  hearTick({ server_time, held_old });
  const today = await list("/v1/alerts", { from: startOfDay() });
  alerts = new Map();
  for (const alert of [...open, ...today.items]) take(alert, before);
  position = stream_from; // of the first page: what then comes twice is known by its version
}
async function follow() {
  if (position === null) await snapshot();
  const reader = await call("/v1/stream", undefined, link.signal), decoder = new TextDecoder();
  [heardAt, brokenAt] = [Date.now(), 0];
  for (let rest = ""; ; paint()) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the stream has ended");
    const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const { event, id, data } = Object.fromEntries(block.split(/\r?\n/).map((line) => line.split(/: ?(.*)/s, 2)));
      if (event) [heardAt, waitS, position] = [Date.now(), 1, event === "reset" ? null : id ?? position];
      if (event === "reset") return;
      if (event === "alert") take(JSON.parse(data));
      if (event === "tick") hearTick(JSON.parse(data));
    }
  }
}
function take(alert, before = alerts) {
  if (alerts.get(alert.id)?.version >= alert.version) return;
  const known = before.get(alert.id), rang = !(known?.rings >= alert.rings);
  alerts.set(alert.id, { ...alert, heardAt: rang ? now() : known.heardAt });
  if (!rang || !waits(alert)) return;
  mutedUntil = 0; // whoever silenced the last one has not heard this one
  if (alert.severity < 3) put($("said"), `${nameOf(alert.kind)}: ${alert.site.name}, ${nameOf(alert.site.commune_code)}`);
}
async function stayLive() {
  for (;;) {
    [link, triedAt] = [new AbortController(), Date.now()];
    if (token) await follow().catch(() => link.signal.aborted || (brokenAt ||= Date.now()));
    const forMs = token ? waitS * 1000 : DAY_MS;
    if (!link.signal.aborted) await new Promise((done) => { wake = done; setTimeout(done, forMs); });
    link.abort();
    waitS = Math.min(waitS * 2, 10);
  }
}
async function enter(text) { // an access token, or an address that ends in a one-time code
  const code = /#login=(\S+)/.exec(text)?.[1], redeem = (body) => call("/v1/login-codes/redeem", body).catch((why) => why);
  history.replaceState(null, "", "/"); // the code leaves the address and the history
  const answer = code ? await redeem(JSON.stringify({ code })) : { token: text.replace(/[^!-~]/g, "") };
  if (answer.token) localStorage.setItem(STORED, (token = answer.token));
  else if (!token) signOut(answer.detail ?? "Chưa nối được máy chủ, hãy thử lại.");
  reconnect();
}
function signOut(why) {
  [token, heardAt, brokenAt] = [null, 0, 0];
  localStorage.removeItem(STORED);
  reconnect();
  paint(put($("refused"), why));
  $("token").focus();
}
async function act(step, { id }) {
  if (notes.get(id) === SENDING) return;
  [selected, actedAt] = [id, Date.now()];
  paint(notes.set(id, SENDING));
  const answer = await call(`/v1/alerts/${id}/${DOOR[step]}`, "{}").catch((problem) => problem);
  if (answer.version || answer.alert) take(answer.alert ?? answer); // a 409 brings the present state
  const why = answer.alert ? "Người khác đã làm trước, không ghi thêm." : answer.detail ?? "Chưa gửi được, hãy bấm lại.";
  paint(notes.set(id, answer.version ? "" : why));
  setTimeout(() => notes.delete(id), 30_000);
}
function elapsed(alert) {
  const span = Math.max(0, (ms(alert.stood_down_at) || now()) - ms(alert.effective_at)), iso = new Date(span).toISOString();
  return span > DAY_MS ? `${Math.floor(span / DAY_MS)} ngày` : iso.slice(span < HOUR_MS ? 14 : 11, 19);
}
function state() {
  const since = clock((heardAt || brokenAt) + now() - Date.now()), broken = brokenAt && Date.now() - brokenAt > 1000;
  if (!token) return ["signed-out", "○ Chưa đăng nhập"];
  if (!broken && !heardAt) return ["connecting", "○ Đang kết nối…"];
  if (broken) return ["offline", `✕ Mất kết nối từ ${since}`];
  return Date.now() - heardAt > 25_000 ? ["stale", `✕ Không có tin từ ${since}`] : ["live", "● Trực tuyến"];
}
function paintRow(alert) {
  const li = $(alert.id) ?? $("row").content.firstElementChild.cloneNode(true), { id, status, severity, site } = alert;
  [li.id, li.className, li.dataset.severity, li.ariaCurrent] = [id, status, severity, id === selected];
  const text = {
    severity: SEVERITY[severity], kind: nameOf(alert.kind), site: site.name, commune: nameOf(site.commune_code),
    unit: alert.unit.name, since: elapsed(alert), progress: progress(alert) || "Chưa ai tiếp nhận", note: notes.get(id),
    late: alert.late && "Báo muộn", again: alert.rings > 1 && `Báo lại lần ${alert.rings}`,
    call: FIRE.test(alert.kind) && "Cháy: gọi 114",
  };
  for (const part of li.querySelectorAll("[data-part]")) put(part, text[part.dataset.part] || "");
  for (const button of li.querySelectorAll("button")) {
    const step = Number(button.value), mine = target(step) === alert;
    button.hidden = !mine && !(step === 1 && waits(alert));
    button.firstChild.hidden = !mine; // the key is printed where it acts
  }
  return li;
}
function paint() {
  const open = [...alerts.values()].filter(({ stood_down_at: ended }) => !ended || now() - ms(ended) < 60_000);
  rows = open.sort((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, 200);
  const lines = rows.map(paintRow), [link, told] = state(), waiting = open.filter(waits).length;
  for (const li of [...$("alerts").children]) if (!lines.includes(li)) li.remove();
  lines.forEach((li, i) => li === $("alerts").children[i] || $("alerts").insertBefore(li, $("alerts").children[i]));
  [document.body.dataset.state, $("sign-in").hidden, $("quiet").hidden] = [link, token, rows.length];
  const wrong = /stale|offline/.test(link) ? ["Tin mới chưa đến được màn hình này. Cần gấp: gọi 113."] : [];
  const texts = {
    live: told, duty: link === "live" ? "Đang trực" : told, waiting: waiting ? `${waiting} chưa tiếp nhận` : "",
    clock: clock(now()), notices: [...wrong, ...tick.notices].join("\n"), sounding: paintSound(),
    held: tick.held_old ? `${tick.held_old} tin cũ hơn 24 giờ, chỉ ghi nhận` : "",
    more: open.length > 200 ? `và ${open.length - 200} tin báo nữa` : rows.length > 1 ? "↑ ↓ chọn tin báo" : "",
  };
  for (const [id, text] of Object.entries(texts)) put($(id), text);
  paintToday();
}
function paintToday() { // counts incidents, however many units were alerted
  const from = startOfDay(), today = [...alerts.values()].filter((alert) => alert.raised_at >= from);
  const kinds = [...new Map(today.map((alert) => [alert.incident_id, alert.kind])).values()];
  const count = (kind) => kinds.filter((other) => other === kind).length;
  const top = [...new Set(kinds)].sort((a, b) => count(b) - count(a)).map((kind) => `${count(kind)}\n${nameOf(kind)}`);
  [...$("today").children].forEach((tile, i) => put(tile, [`${kinds.length}\nvụ hôm nay`, ...top][i] ?? ""));
}
function paintSound() { // the highest severity that waits is heard
  const muted = Math.ceil((mutedUntil - Date.now()) / 1000), loud = soundsHere && muted <= 0 && rows.find(sounds);
  const name = !loud ? "" : FIRE.test(loud.kind) ? "fire" : String(loud.severity), { dataset } = $("sound");
  if (name !== dataset.playing) {
    source?.stop();
    source = name ? new AudioBufferSourceNode(audio, { buffer: (waves[name] ??= waveOf(...SOUNDS[name])), loop: true }) : null;
    source?.connect(audio.destination);
    source?.start();
  }
  dataset.playing = name;
  dataset.state = !soundsHere ? "elsewhere" : audio.state !== "running" ? "blocked" : muted > 0 ? "muted" : "on";
  const text = { elsewhere: "Tiếng ở cửa sổ khác", blocked: "Chưa có tiếng: bấm phím bất kỳ", on: "Có tiếng" };
  return text[dataset.state] ?? `Tắt tiếng còn ${muted} giây`;
}
function waveOf(strokeS, loop) {
  const rate = audio.sampleRate, buffer = audio.createBuffer(1, strokeS * loop.length * rate, rate);
  const tone = (t) => 0.7 * Math.tanh(2 * Math.sin(2 * Math.PI * 520 * t)); // low and rich: for old ears
  const sample = (t) => tone(t) * Number(loop[Math.floor(t / strokeS)] ?? 0) * Math.sin((Math.PI * t) / strokeS) ** 0.2
  buffer.copyToChannel(Float32Array.from({ length: buffer.length }, (_, i) => sample(i / rate)), 0);
  return buffer;
}
addEventListener("keydown", (event) => { // by event.code: typing Vietnamese rewrites event.key
  audio.resume();
  if (event.target.closest?.("input") || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
  const by = MOVES[event.code], step = KEYS[event.code], alert = step && target(step);
  if (by) {
    event.preventDefault();
    const place = Math.max(0, rows.findIndex(({ id }) => id === selected) + by);
    paint((selected = rows[Math.min(place, rows.length - 1)]?.id));
    $(selected)?.scrollIntoView({ block: "nearest" });
  }
  if (event.code === "KeyM" && !event.repeat) mute();
  if (alert && !event.repeat) act(step, alert);
});
$("alerts").addEventListener("click", (event) => {
  const alert = alerts.get(event.target.closest("li")?.id), step = event.target.closest("button")?.value;
  selected = alert?.id;
  paint();
  if (step) act(step, alert);
});
$("sound").addEventListener("click", mute);
$("sign-in").addEventListener("submit", (event) => { event.preventDefault(); enter($("token").value); });
addEventListener("pointerdown", () => audio.resume());
addEventListener("hashchange", () => location.hash && enter(location.hash));
addEventListener("online", reconnect);
document.addEventListener("visibilitychange", () => Date.now() - heardAt > 12_000 && reconnect());
audio.addEventListener("statechange", paint);
navigator.locks?.request("vong-gac-sound", () => new Promise(() => { soundsHere = true; })); // one window sounds
setInterval(() => Date.now() - Math.max(heardAt, triedAt) > 20_000 && reconnect(), 5000);
setInterval(paint, 1000);
paint();
if (location.hash) enter(location.hash);
stayLive();
