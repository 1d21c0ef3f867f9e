"""Simplified Chinese: the catalogue of words, and the forms of the core's sentences."""

from collections.abc import Mapping

CHINESE: Mapping[str, str] = {
    # what the incident is
    "cause.cpu_saturation": "CPU 饱和",
    "cause.cpu_saturation.container": "CPU 饱和（容器上限）",
    "cause.cpu_saturation.host": "CPU 饱和（整台宿主机）",
    "cause.memory_pressure": "内存压力",
    "cause.storage_latency": "存储缓慢",
    "cause.client_timeout": "客户端超时",
    "cause.dns_outage": "DNS 故障",
    "cause.dns_outage.lookups": "DNS 查询丢失",
    "cause.unproven": "未能证实原因",
    "cause.open": "原因尚不明确",
    "cause.declared": "{cause}",
    "state.open": "进行中",
    "state.recovering": "恢复中",
    "state.resolved": "已恢复",
    "headline": "{state}：{cause} · {domain} · {instances}",
    "headline.cause": "{cause}，置信度 {confidence}",
    # what happened to it
    "change.opened": "发现",
    "change.joined": "蔓延",
    "change.diagnosed": "原因确定",
    "change.escalated": "升级",
    "change.recovering": "恢复中",
    "change.resolved": "已恢复",
    "change.reopened": "再次发生",
    "change.late": "迟到的事件",
    "change.undiagnosed": "结论",
    "change.opened_named": "发现并确定原因",
    "change.verdict": "{change}：{cause}",
    "meanwhile": "其间，{change}：{reason}",
    "meanwhile.counted": "其间，{change}（{count} 次）：{reason}",
    # section names
    "label.since": "时间",
    "label.impact": "影响",
    "label.routes": "路由",
    "label.clients": "客户端",
    "label.note": "备注",
    "label.facts": "依据",
    "label.rivals": "排除的原因",
    "label.timeline": "经过",
    "label.advice": "建议",
    "label.noise": "噪声",
    # sentences
    "since.open": "{start} 起，已持续 {duration}",
    "since.over": "{start} 至 {end}，共 {duration}",
    "impact": "{parts}",
    "impact.estimated": "约 {parts}",
    "impact.none": "没有计入失败的请求",
    "impact.failed.one": "{n} 个请求失败",
    "impact.failed.other": "{n} 个请求失败",
    "impact.slow.one": "{n} 个缓慢",
    "impact.slow.other": "{n} 个缓慢",
    "impact.slowed.one": "没有请求失败，{n} 个缓慢",
    "impact.slowed.other": "没有请求失败，{n} 个缓慢",
    "impact.total": "{parts}，占 {total} 个请求的 {share}",
    "rejected.cpu_saturation": "不是 CPU 饱和",
    "rejected.memory_pressure": "不是内存压力",
    "rejected.storage_latency": "不是存储缓慢",
    "rejected.client_timeout": "不是客户端超时",
    "rejected.dns_outage": "不是 DNS 故障",
    "rejected.unproven": "并非没有原因",
    "rejected.declared": "不是 {cause}",
    "undecided.cpu_saturation": "CPU 饱和，尚无定论",
    "undecided.memory_pressure": "内存压力，尚无定论",
    "undecided.storage_latency": "存储缓慢，尚无定论",
    "undecided.client_timeout": "客户端超时，尚无定论",
    "undecided.dns_outage": "DNS 故障，尚无定论",
    "undecided.unproven": "没有原因，尚无定论",
    "undecided.declared": "{cause}，尚无定论",
    "noise.suppressed.one": "已抑制 {n} 条 DNS 错误：本事件可以解释",
    "noise.suppressed.other": "已抑制 {n} 条 DNS 错误：本事件可以解释",
    "noise.released.one": "{n} 条 DNS 错误暂扣后放行：没有无害的解释",
    "noise.released.other": "{n} 条 DNS 错误暂扣后放行：没有无害的解释",
    "newly.suppressed.one": "新抑制 {n} 条 DNS 错误：本事件可以解释",
    "newly.suppressed.other": "新抑制 {n} 条 DNS 错误：本事件可以解释",
    "newly.released.one": "新放行 {n} 条 DNS 错误：没有无害的解释",
    "newly.released.other": "新放行 {n} 条 DNS 错误：没有无害的解释",
    "noise.late.one": "{n} 个事件在所属的秒结算之后才到达，已按迟到计入",
    "noise.late.other": "{n} 个事件在所属的秒结算之后才到达，已按迟到计入",
    # buttons, and what they say in the thread
    "button.acknowledge": "我来处理",
    "button.snooze": "暂停提醒……",
    "button.snooze_for": "{duration}",
    "button.wrong_cause": "原因不对？应该是……",
    "button.no_trouble": "根本没有故障",
    "button.suppressed": "查看已抑制的 {n} 条",
    "call.first": "🔔 {who}",
    "call.again": "⏰ 已经{duration}无人处理：{who}",
    "feedback.acknowledged": "👀 {who} 自 {time} 起负责处理",
    "feedback.snoozed": "💤 {who} 要求在 {until} 之前不再提醒",
    "feedback.wrong_cause": "✍️ {who} 在 {time} 指出：不是 {said}，而是 {right}",
    "feedback.asked_suppressed": "🔇 {who} 查看被抑制的内容",
    "feedback.unread": "未能及时读取决定：可用 `undercurrent explain {incident}` 查看",
    # the timeline picture
    "panel.cpu": "CPU",
    "panel.memory": "内存",
    "panel.requests": "请求",
    "panel.storage": "存储（存储侧 p95）",
    "panel.dns": "DNS 错误",
    "curve.cpu": "用量占上限",
    "curve.limit": "上限",
    "curve.throttled": "被限流的周期",
    "curve.unthrottled": "没有周期被限流",
    "curve.pressure": "等待 CPU 的时间",
    "curve.memory": "工作集占上限",
    "curve.failed": "失败",
    "curve.slow": "缓慢",
    "curve.storage": "p95",
    "curve.dns_suppressed": "已抑制",
    "curve.dns_released": "已放行",
    "curve.dns_held": "暂扣",
    "mark.verdict": "原因确定",
    "mark.over": "最后的迹象",
    "alt.title": "{start} 至 {end} 的时间线。{headline}",
    "alt.cpu_ratio": "CPU 用量最高为上限的 {share}",
    "alt.throttled_ratio": "最多 {share} 的周期被限流",
    "alt.storage_seconds": "存储 p95 最高 {p95}",
    "alt.dns_failed": "{n} 条 DNS 错误",
    "alt.dns_suppressed": "其中 {n} 条已抑制",
    "alt.between": "；",
    "link.page": "事件页面",
    "link.runbook": "操作手册",
    "later": "+{duration}",
    "colon": "：",
    "more": "另有 {n} 项",
    "footer": "undercurrent · {incident}",
    # many incidents at once
    "storm.headline.one": "{n} 个事件等待通知",
    "storm.headline.other": "{n} 个事件等待通知",
    "storm.domains.one": "{n} 个域",
    "storm.domains.other": "{n} 个域",
    "storm.text": "它们几乎同时发生在{domains}。每个事件都会有自己的消息，最严重的在前，以 Slack 允许的速度发送："
    "最后一条约在 {duration}后。不会遗漏任何事件。",
    "storm.over": "所有事件都已通知",
    "storm.over.text": "有 {told} 个事件曾需等待；现在每个都有自己的消息。",
    # the first line of every message of a replay
    "replay.mark": "⏪ 回放：这是应要求重新讲述的过去事件，无需任何人处理。",
    # a message that tests the way to Slack
    "test.headline": "测试：undercurrent 可以在这里发消息",
    "test.text": "这是一条测试消息。一切正常，无需任何操作。",
    # numbers and times
    "time": "{time} UTC",
    "time.local": "当地 {local}",
    "duration.days": "{n} 天",
    "duration.hours": "{n} 小时",
    "duration.minutes": "{n} 分",
    "duration.seconds": "{n} 秒",
    "latency.ms": "{n} 毫秒",
    "latency.s": "{n} 秒",
    "percent": "{n}%",
    "percent.little": "不到 1%",
    "thousands": ",",
    "between": "、",
}

_UNITS = {"ms": "毫秒", "d": "天", "h": "小时", "min": "分", "s": "秒"}


def value(kind: str, english: str) -> str:
    """A value of a sentence in Chinese (pipeline/render/sentences.py)."""
    if kind == "share":
        return english.replace(" %", "%")
    if kind in ("span", "age"):
        return " ".join(_UNITS.get(word, word) for word in english.split(" "))
    if kind == "cores":
        return english.split(" ")[0] + " 核"
    if kind == "cause":
        return CHINESE.get(f"cause.{english}", english.replace("_", " "))
    return english


_REASONS = {
    "no cause is carried by evidence": "没有任何原因得到证据支持",
    "no cause is carried by evidence: {part}": "没有任何原因得到证据支持：{part}",
    "cause: {cause} ({ratio}): {part}": "原因：{cause}（置信度 {ratio}）：{part}",
    "cause: {part}": "原因：{part}",
    "{cause} ({ratio})": "{cause}（置信度 {ratio}）",
    "unproven": "未能证实",
    "not proven yet, evidence is still due": "尚未证实，证据还没有到齐",
    "{n} request[s] failed so far": "至今已有 {n} 个请求失败",
    "{name} was starved of CPU at {time} and its other lookups were answered": (
        "{name} 在 {time} 缺少 CPU，而其他查询都得到应答"
    ),
    "requests fail again": "请求再次失败",
    "no sign of it since {time}": "自 {time} 起再无迹象",
    "quiet for {span}; it lasted {span:lasted}": "已平静 {span}；共持续 {lasted}",
    "{n} request[s] failed on {name} since {time}; cause: {part}": "{name} 自 {time} 起有 {n} 个请求失败；原因：{part}",
    "its own measurements show it on {name} since {time}; cause: {part}": (
        "{name} 自身的测量自 {time} 起显示异常；原因：{part}"
    ),
    "{name} fails again": "{name} 再次出现失败",
    "{name} is hit as well, since {time}": "{name} 自 {time} 起也受到影响",
    "{name} is in the same trouble again, {cause}, since {time}": "{name} 自 {time} 起再次出现同样的问题：{cause}",
    "{n} {name} arrived {n:behind} s after their second was settled": (
        "{n} 条 {name} 在所属的秒结算 {behind} 秒之后才到达"
    ),
    "older than all that is remembered; counted only": "早于全部保留的历史，只计数",
    "follows {name} ({cause}) on {name:instance}": "紧随 {instance} 上的 {name}（{cause}）之后发生",
    "was taken for {cause} at first": "起初被判断为{cause}",
    "seen too, but it set in at {time}, later than the cause: {part}": "同样出现，但始于 {time}，晚于该原因：{part}",
    "seen too, on weaker evidence: {part}": "同样出现，但证据较弱：{part}",
    "also seen": "同样出现",
    "no request failed": "没有请求失败",
    "{part}; told {age} after it happened, because Undercurrent is behind": (
        "{part}；因 Undercurrent 处理滞后，事后 {age}才通知"
    ),
}

_CPU = {
    "{name} used {share} of its limit of {cores}, throttled in {share:throttled} of periods from {time}{tail}": (
        "{name} 自 {time} 起用到 {cores}上限的 {share}，{throttled} 的调度周期被限流{tail}"
    ),
    "{name} used {share} of its configured limit of {cores}, "
    "throttled in {share:throttled} of periods from {time}{tail}": (
        "{name} 自 {time} 起用到所配置的 {cores}上限的 {share}，{throttled} 的调度周期被限流{tail}"
    ),
    "{name} throttled in {share} of periods from {time}{tail}": "{name} 自 {time} 起有 {share} 的调度周期被限流{tail}",
    ", {span} before the first failed request ended": "，比首个失败的请求结束早 {span}",
    "{name} waited for CPU {share} of the time from {time}{tail}: its host was {share:busy} busy, "
    "its own use only {cores} and never throttled": (
        "{name} 自 {time} 起有 {share} 的时间在等待 CPU{tail}：宿主机 {busy} 繁忙，自身只用 {cores}，从未被限流"
    ),
    "requests in flight on {name} rose from {n} to {n:peak}": "{name} 上处理中的请求从 {n} 个升到 {peak} 个",
    "{n} of {n:all} scrape[s] of {name}'s own metrics failed meanwhile": (
        "其间对 {name} 自身指标的 {all} 次抓取中有 {n} 次失败"
    ),
    "only {share} of {n} cancelled request[s] end at their client's timeout; "
    "a server that is not held up gives 98 % or more": (
        "{n} 个被取消的请求中只有 {share} 恰在客户端超时时刻结束；未受阻的服务器应为 98% 以上"
    ),
    "{share} of {n} cancelled request[s] end within 10 ms of their client's timeout; starvation smears them": (
        "{n} 个被取消的请求中有 {share} 在客户端超时前后 10 毫秒内结束；CPU 不足会使时刻分散"
    ),
    "no CPU sample of {name} arrives; usage with its limit and throttled periods would decide": (
        "没有收到 {name} 的 CPU 采样；使用量、上限和限流周期可以判定"
    ),
    "the CPU sample of {name} that covers the first failure has not arrived": (
        "覆盖首次失败的 {name} 的 CPU 采样尚未到达"
    ),
    "{name} had CPU to spare: {part}, throttled in {share} of periods": "{name} 的 CPU 有富余：{part}，{share} 的周期被限流",
    "{share} of its {cores} used": "{cores}只用了 {share}",
    "{cores} used, without a limit": "用了 {cores}，没有上限",
    "{name} reached its limit at {time}, after the failures began": "{name} 在 {time} 才达到上限，晚于失败的开始",
    "{name} was busy ({share} of its limit, throttled in {share:throttled} of periods), "
    "but not lastingly starved while requests failed": (
        "{name} 较忙（用到上限的 {share}，{throttled} 的周期被限流），但请求失败期间并非持续缺少 CPU"
    ),
    "the last CPU sample of {name} is from {time}, before the trouble": "{name} 最后的 CPU 采样在 {time}，早于故障",
    "the CPU samples of {name} carry neither limit nor throttling; either would decide": (
        "{name} 的 CPU 采样既没有上限也没有限流；有其一即可判定"
    ),
    "no CPU sample of {name} lies wholly inside the trouble; a shorter interval would decide": (
        "{name} 没有一个 CPU 采样完整落在故障期间；更短的采样间隔可以判定"
    ),
}

_MEMORY = {
    "the memory sample of {name} that covers the first failure has not arrived": (
        "覆盖首次失败的 {name} 的内存采样尚未到达"
    ),
    "{name} was killed for want of memory {n} time[s] from {time}{tail}": (
        "{name} 自 {time} 起因内存不足被终止 {n} 次{tail}"
    ),
    ", its memory at {share} of {mib}": "，内存达到 {mib} 的 {share}",
    "{name} stood at {share} of its memory limit and was stalled on memory {share:stalled} of the time from {time}": (
        "{name} 自 {time} 起内存达到上限的 {share}，{stalled} 的时间因内存停顿"
    ),
    "{name} exited by SIGKILL at {time}; its memory use and limit would decide": (
        "{name} 在 {time} 因 SIGKILL 退出；内存用量和上限可以判定"
    ),
    "no memory sample of {name} arrives; working set with its limit and kills would decide": (
        "没有收到 {name} 的内存采样；工作集、上限和终止次数可以判定"
    ),
    "memory of {name} peaked at {share} of its limit, nothing was killed": (
        "{name} 的内存最高为上限的 {share}，没有进程被终止"
    ),
    "memory of {name} reached {share} of its limit, but nothing was killed or stalled": (
        "{name} 的内存达到上限的 {share}，但没有进程被终止或停顿"
    ),
    "{name} was stalled on memory {share} of the time at most, nothing was killed": (
        "{name} 因内存停顿的时间最多 {share}，没有进程被终止"
    ),
    "{name} has no memory limit that reaches us, and nothing was killed; a limit would decide": (
        "没有收到 {name} 的内存上限，也没有进程被终止；有上限即可判定"
    ),
    "{name} started {n} times since {time}": "{name} 自 {time} 起启动了 {n} 次",
}

_STORAGE = {
    "no storage-side metric reaches the topic; latency and errors measured at the storage would decide": (
        "没有收到存储侧的指标；存储侧测得的延迟和错误可以判定"
    ),
    "the storage-side sample that covers the first failure has not arrived": "覆盖首次失败的存储侧采样尚未到达",
    "the storage, measured at its own side, was in trouble from {time}: {list}": (
        "在存储侧测得，存储自 {time} 起异常：{list}"
    ),
    "p95 to first byte {span}, median {span:median}": "首字节 p95 为 {span}，中位数 {median}",
    "normally {span}": "平时 {span}",
    "{share} of its answers were errors": "{share} 的应答是错误",
    "it answered errors": "应答为错误",
    "{n} request[s] stuck, none answered": "{n} 个请求卡住，无一应答",
    "the storage itself answered SlowDown or RequestTimeout to {n} request[s] from {time}": (
        "存储自 {time} 起对 {n} 个请求应答 SlowDown 或 RequestTimeout"
    ),
    "the last storage-side sample is from {time}, before the trouble": "最后的存储侧采样在 {time}，早于故障",
    "no request reached the storage while requests failed, so its latency says nothing": (
        "请求失败期间没有请求到达存储，其延迟说明不了什么"
    ),
    "{n} request[s] had no answer from the storage yet; how long those take would decide": (
        "{n} 个请求尚未得到存储应答；其耗时可作判定"
    ),
    "storage was normal as measured at the server: p95 {span}, no errors{tail}": (
        "在存储侧测得一切正常：p95 {span}，没有错误{tail}"
    ),
    "storage was normal as measured at the server: p95 {span}, {n} error[s]{tail}": (
        "在存储侧测得一切正常：p95 {span}，{n} 个错误{tail}"
    ),
    "storage was normal as measured at the server: median {span}, no errors{tail}": (
        "在存储侧测得一切正常：中位数 {span}，没有错误{tail}"
    ),
    "storage was normal as measured at the server: median {span}, {n} error[s]{tail}": (
        "在存储侧测得一切正常：中位数 {span}，{n} 个错误{tail}"
    ),
    " ({name} itself counted up to {span} a call, which is its own slowness)": (
        "（{name} 自身计得每次调用最多 {span}，那是它自己的缓慢）"
    ),
}

_CLIENTS = {
    "no request failed, so none was given up on": "没有请求失败，也就没有被放弃的请求",
    "most failures are no cancellations: {name}": "多数失败不是取消：{name}",
    "durations are smeared: only {share} end at the client's timeout": "时长分散：只有 {share} 恰在客户端超时时刻结束",
    "{n} client[s] gave up, not one or two": "有 {n} 个客户端放弃，而不是一两个",
    "too few cancelled requests of one client and route to see whether they share one duration": (
        "同一客户端、同一路由被取消的请求太少，看不出时长是否一致"
    ),
    "hardly any other request went well meanwhile, so it is more than one impatient client": (
        "其间几乎没有其他请求成功，所以不只是某个客户端缺乏耐心"
    ),
    "cancellations sit at {span}, as a client's timeout would; CPU and storage measured as normal would prove it": (
        "取消集中在 {span}，与客户端超时相符；若测得 CPU 和存储正常即可证实"
    ),
    "{share} of {n} cancelled request[s] end at the same {span}: the timeout of {name}": (
        "{n} 个被取消的请求中有 {share} 在同一时长 {span}结束：{name} 的超时"
    ),
    "{share} of {n} cancelled request[s] end at about the same {span}: the timeout of {name}": (
        "{n} 个被取消的请求中有 {share} 在大致相同的时长 {span}结束：{name} 的超时"
    ),
    "{share} of the cancellations come from {name}, while {n} other request[s] went well and fast": (
        "{share} 的取消来自 {name}，而其他 {n} 个请求又快又好"
    ),
}

_DNS = {
    "the DNS server failed {share} of {n} lookup[s] of {name} from {time}": (
        "DNS 服务器自 {time} 起在 {name} 的 {n} 次查询中失败 {share}"
    ),
    "{name:server} failed {share} of {n} lookup[s] of {name} from {time}": (
        "{server} 自 {time} 起在 {name} 的 {n} 次查询中失败 {share}"
    ),
    "{n} failed lookup[s] logged from {time}, beside {n:ok} request[s] that went well": (
        "自 {time} 起日志中有 {n} 次失败的查询，同期 {ok} 个请求成功"
    ),
    "{n} failed lookup[s] at {name} logged from {time}, beside {n:ok} request[s] that went well": (
        "自 {time} 起日志中有 {n} 次对 {name} 的查询失败，同期 {ok} 个请求成功"
    ),
    "no request of {name} reached the storage from {time}, and {part}": "自 {time} 起 {name} 没有请求到达存储，且{part}",
    "{n} failed lookup[s] logged": "日志中有 {n} 次失败的查询",
    "{n} lookup[s] lost at the DNS server": "DNS 服务器丢失 {n} 次查询",
    "{n} failed lookup[s] logged and {n:lost} lookup[s] lost at the DNS server": (
        "日志中有 {n} 次失败的查询，DNS 服务器丢失 {lost} 次"
    ),
    "{n} of {n:all} failed request[s] hung while one of {n:lookups} lookup[s] went unanswered, "
    "with CPU and storage measured as normal": (
        "{all} 个失败的请求中有 {n} 个在 {lookups} 次无应答查询之一期间挂起，而测得 CPU 和存储正常"
    ),
    "{n} of {n:all} lookup[s] were answered": "{all} 次查询中有 {n} 次得到应答",
    "{n} new connection[s] to the storage were made meanwhile, each after a lookup": (
        "其间与存储新建 {n} 个连接，每个都先经过查询"
    ),
    "no failed lookup was logged, and other requests went well": "日志中没有失败的查询，其他请求正常",
    "{n} failed lookup[s] logged, too few to prove it; lookups asked and failed, "
    "as counted at the DNS server, would decide": (
        "日志中有 {n} 次失败的查询，不足以证实；DNS 服务器侧的查询数和失败数可以判定"
    ),
    "no DNS-side measurement; lookups asked and failed, as counted at the DNS server, would decide": (
        "没有 DNS 侧的测量；DNS 服务器侧的查询数和失败数可以判定"
    ),
}

_DECLARED = {
    "{n} of {n:all} failed request[s] ({share}) bear its marks, it needs {share:needed}": (
        "{all} 个失败的请求中有 {n} 个（{share}）带有其标记，需要 {needed}"
    ),
    "{n} of {n:all} failed request[s] ({share}) bear its marks, too few to prove it; {n:needed} would": (
        "{all} 个失败的请求中有 {n} 个（{share}）带有其标记，不足以证实；需要 {needed} 个"
    ),
    "{name:text}: so say {n} of {n:all} failed request[s] of {name} from {time} ({name:marks})": (
        "{text}：自 {time} 起 {name} 的 {all} 个失败的请求中有 {n} 个如此表明（{marks}）"
    ),
    "its marks are seen, but {cause} is proven, and that wins over it": "出现了其标记，但{cause}已经证实并优先",
    "the rules no longer declare it": "规则中已不再声明",
}

_STEPS = {
    "{name} reaches its CPU limit of {cores}": "{name} 达到 {cores}的 CPU 上限",
    "{name} reaches its CPU limit": "{name} 达到 CPU 上限",
    "{name}'s host runs out of CPU": "{name} 的宿主机耗尽 CPU",
    "{name} has CPU to spare again": "{name} 的 CPU 重新有了富余",
    "first slow success: {name}": "首个缓慢的成功请求：{name}",
    "first slow success: {name} after {span}": "首个缓慢的成功请求：{name}，耗时 {span}",
    "first cancelled request: {name}": "首个被取消的请求：{name}",
    "first cancelled request: {name} of {name:client}": "首个被取消的请求：{client} 的 {name}",
    "first failed request: {name}": "首个失败的请求：{name}",
    "first failed request: {name} of {name:client}": "首个失败的请求：{client} 的 {name}",
    "{name} keeps coming back: {n} failed requests in {span}": "{name} 不断重试：{span}内失败 {n} 次",
    "{n} requests of {name} fail at once": "{name} 的 {n} 个请求同时失败",
    "first of {n} DNS timeouts on {name}{tail}": "{name} 上首次 DNS 超时，共 {n} 次{tail}",
    "first DNS timeout on {name}{tail}": "{name} 上首次 DNS 超时{tail}",
    ", {share} of all lookups failed": "，全部查询中有 {share} 失败",
}

_ADVICE = {
    "Give {name} CPU on its host: raise its CPU request (shares), move its neighbours or move it. "
    "Its own limit is not the cause; raising it changes nothing.": (
        "在宿主机上为 {name} 争取 CPU：提高其 CPU request（份额），迁走邻居，或迁走它自己。"
        "它自身的上限不是原因，提高上限没有用。"
    ),
    "Raise the CPU limit of {name} from {cores} to {cores:wanted} or more: {part}. "
    "Or spread the load over more instances behind a load balancer.": (
        "把 {name} 的 CPU 上限从 {cores}提高到 {wanted}以上：{part}。或在负载均衡后用更多实例分担负载。"
    ),
    "the load asks for at least {cores}, estimated from requests that arrived and went well; "
    "watch throttling after the change": ("按到达与成功的请求估计，负载至少需要 {cores}；调整后请观察限流"),
    "it used up to {cores} when nothing held it back": "不受限制时它用到过 {cores}",
    "Let {name} retry with exponential back-off and jitter: {n} request[s] of it failed within {span}, "
    "and each retry is added load.": (
        "让 {name} 以指数退避加随机抖动重试：它在 {span}内失败 {n} 个请求，每次重试都在增加负载。"
    ),
    "Put a cache before _catalog or ask it less often: {share} of the failed and slow requests walk "
    "the whole catalogue, each with hundreds of storage calls.": (
        "在 _catalog 前加缓存，或减少访问：{share} 的失败和缓慢请求都在遍历整个目录，每个要调用存储数百次。"
    ),
    "Raise the memory limit{tail}, or lower what is held at once: fewer large uploads in parallel, "
    "smaller chunks. The working set reached the limit, so how much more it wants was not seen.": (
        "提高内存上限{tail}，或减少同时占用：少并行大上传，用更小的分块。工作集已达上限，还需多少无从得知。"
    ),
    " above {mib}": "到 {mib} 以上",
    "Look at the storage itself: its index, its shards, its neighbours.{tail}": (
        "检查存储本身：索引、分片、相邻负载。{tail}"
    ),
    " Its p95 was {span}.": "其 p95 为 {span}。",
    "Set storage.s3.timeout ({n} s is the usual start), so that a slow storage fails requests "
    "instead of piling them up.": (
        "设置 storage.s3.timeout（通常从 {n} 秒开始），使缓慢的存储让请求失败，而不是越积越多。"
    ),
    "Raise the timeout of {name} above {span}, or let it ask for less at once (smaller pages of _catalog). "
    "The service was well.": (
        "把 {name} 的超时提高到 {span}以上，或让它一次少要一些（_catalog 用更小的分页）。服务本身正常。"
    ),
    "Check the resolver that {name} ask[s]{tail}: is it up, reachable, overloaded? "
    "A second resolver or a node-local cache bridges the next outage.": (
        "检查 {name} 所用的解析器{tail}：是否在运行、可达、过载？备用解析器或节点本地缓存可以撑过下一次故障。"
    ),
    " ({share} of lookups failed)": "（{share} 的查询失败）",
}

FORMS: Mapping[str, str] = {
    **_REASONS, **_CPU, **_MEMORY, **_STORAGE, **_CLIENTS, **_DNS, **_DECLARED, **_STEPS, **_ADVICE,
}  # fmt: skip
"""The form of an English sentence of the core → the Chinese one."""
