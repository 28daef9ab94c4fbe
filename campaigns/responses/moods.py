"""Whether a reply is angry, by words that people use when they are: a table, not a model.

It is there to be counted over many replies (``campaigns.guarding.guardrails``), never to judge one person: nothing but
the count is read. Who only wants no more messages is not angry (``crm.replies``).
"""

import re
import unicodedata

CHINESE = (
    *("投诉", "投訴", "举报", "舉報", "骚扰", "騷擾", "垃圾", "骗子", "騙子", "诈骗", "詐騙", "骗人", "欺诈", "流氓"),
    *("太烦", "烦死", "好烦", "烦不烦", "恶心", "可恶", "无耻", "缺德", "不要脸", "滚开", "滚蛋", "去死", "神经病"),
    *("差评", "差劲", "太差", "坑人", "黑心", "上当", "气死", "无语", "侵犯隐私", "泄露", "泄漏", "报警", "工信部"),
    *("12321", "12315", "12300", "律师", "起诉"),
)
ENGLISH = (
    *("spam", "spammer", "spammers", "spamming", "scam", "scams", "scammer", "fraud", "harass", "harassing"),
    *("harassment", "annoying", "annoyed", "disgusting", "awful", "terrible", "horrible", "worst", "pathetic"),
    *("useless", "ridiculous", "unacceptable", "angry", "furious", "hate", "complaint", "lawyer", "sue", "report you"),
    *("reporting you", "rip off", "ripoff", "rubbish", "garbage", "idiots", "screw you", "piss off", "fuck", "fucking"),
    *("fuck off", "bullshit", "shit", "leave me alone", "how did you get my", "who gave you my"),
)
# "Not bad at all", "no spam please": what turns a word round stands right before it.
NOT = r"(?<!\bnot )(?<!\bno )(?<!\bnot a )(?<!\bisn't )(?<!\bnever )"
SAID = re.compile(rf"{NOT}\b(?:{'|'.join(re.escape(word) for word in ENGLISH)})\b")
WRITTEN = re.compile(rf"(?<![不没非])(?:{'|'.join(CHINESE)})")
GONE = re.compile(r"滚[!。.,~\s]*$")
LONGEST = 2000


def is_angry(text: str) -> bool:
    """Tell whether a reply sounds angry.

    >>> [is_angry(text) for text in ("再发我就投诉你们！", "This is SPAM", "滚", "stop harassing me", "骗子公司")]
    [True, True, True, True, True]
    >>> [is_angry(text) for text in ("", "TD", "谢谢，很好", "not spam, thanks", "滚筒洗衣机有货吗", "这不是骗子吧")]
    [False, False, False, False, False, False]
    """
    told = unicodedata.normalize("NFKC", text[:LONGEST]).casefold().strip()
    return bool(SAID.search(told) or WRITTEN.search(told.replace("不是", "不")) or GONE.search(told))
