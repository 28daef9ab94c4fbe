"""Names of people, known by the words around them."""

import re
from collections.abc import Iterator

from crm.chinese_names import COMPOUND_SURNAMES, SURNAMES
from crm.recognisers import Span

HAN = r"[\u3400-\u9fff\U00020000-\U0003ffff]"
# What follows a name, and would else pass for its last character.
AFTER = (
    "电话|手机|住|今年|的|是|在|身份|微信|邮|地址|想|要|来自|女|男|已|了|吗|呢|吧|和|与|跟|你|您|我|他|她|先生|女士|小姐|太太|老师|同学|经理|律师|医生|师傅"
    "|来电|来访|致电|打来|签收|说|收|寄|给|请|有|订|买|反映|投诉|年龄|性别|生日|出生|從|从|，|。"
)
SURNAME = f"(?:{'|'.join(sorted(COMPOUND_SURNAMES))}|[{''.join(sorted(SURNAMES))}])"
GIVEN = f"(?:(?!{AFTER}){HAN}){{1,2}}"
CHINESE = f"{SURNAME}{GIVEN}"
JOINED = f"{HAN}{{1,10}}(?:[·•‧・]{HAN}{{1,10}}){{1,4}}"
# Words after which a name is sure to come, and words after which it may.
SURE = (
    "我叫|我的名字是|我的名字叫|我名字是|名字是|名字叫|本人叫|姓名|真名|收件人|收货人|收貨人|联系人|聯絡人|寄件人|取件人|持卡人|开户名|户名|客户名|客户姓名|投保人|被保险人"
    "|法定代表人|监护人|患者|乘客|旅客|买家|卖家|顾客"
)
MAYBE = "我是|本人|这是|客户|会员|用户|尊敬的|亲爱的|致"
GAP = r"[\s:：=为是叫\"']{0,4}"
AFTER_SURE = re.compile(f"(?:{SURE}){GAP}(?P<name>{JOINED}|{CHINESE})")
AFTER_MAYBE = re.compile(
    rf"(?:{MAYBE}){GAP}(?P<name>{JOINED}|{CHINESE})(?=[\s,，。.!！?？;；、)）(（:：\"'\d]|$|{AFTER})"
)
BEFORE_TITLE = re.compile(f"(?P<name>{SURNAME}{HAN}{{1,2}}?)(?=先生|女士|小姐|太太)")
LABELLED = re.compile(
    rf"(?:姓名|收件人|收货人|联系人|名字)\s?[:：=]\s?[\"']?(?P<name>{HAN}{{2,4}})(?={HAN}{{0}}(?:[\s,，。;；\"'）)\d]|$))"
)
CALLED = re.compile(rf"(?:我叫|大名|全名)[\s:：=为是叫]{{0,3}}(?P<name>{HAN}{{2,4}}?)(?=[\s,，。;；、]|$)")
BEFORE_PHONE = re.compile(rf"(?<!{HAN})(?P<name>{CHINESE})(?=[\s,，:：]{{1,2}}(?:\+?86)?1[3-9]\d{{9}}(?!\d))")
_WORDS = """
白天 白色 高中 高级 高兴 安全 安装 安卓 安排 方便 方法 方案 马上 马路 金额 金卡 水果 时间 时候 平时 平台 常见 和平
贵宾 贵司 贵公司 黄金 黄色 黄牛 红色 都是 都可以 从来 从前 全部 全国 全额 全程 任何 任务 应该 应当 支持 支付 支付宝
经常 经理 江苏 江西 广东 广西 广告 国家 国外 文件 文化 关于 关注 关系 项目 明天 明白 成功 成都 成年 成人 解决 解释
万一 万元 满意 温馨 通过 通知 通常 通用 连接 连续 习惯 向您 容易 步骤 古代 终于 暂时 能否 能够 双方 双十 农村 相关
相信 查询 查看 后来 后面 公司 公共 干净 单位 单独 包裹 包括 石家庄 祝您 祝福 宁波 宁可 宁夏 元旦 顾客 商家 商城 商品
商务 商户 海外 海南 海淘 年轻 年卡 阳光 言语 福利 云南 路人 路过 危险 强烈 季度 麻烦 梅州 盛大 乐意 于是 时尚 余额
余下 卡号 严重 严格 华为 华东 何时 施工 孔子 曹操 张贴 张口 李子 王者 王国 吴江 周末 周一 周二 周三 周四 周五 周六
周日 周年 陈述 陈列 朱红 许多 许可 吕布 钱包 钱款 钱财 孙子 赵州 郑重 郑州 沈阳 韩国 韩式 杨树 杨梅 苏州 苏打 潘多拉
葛根 鲁菜 韦德 马桶 苗条 苗圃 凤凰 花钱 花了 花费 花店 方面 方向 俞林 柳州 史上 唐山 唐装 费用 费力 雷同 汤圆 罗列
毕业 毕竟 毕业生 元素 黄山 尹始 毛衣 毛巾 毛病 米饭 贝壳 计划 计算 计费 成员 成交 戴上 谈判 谈话 宋朝 熊猫 纪念 纪录
舒服 舒适 项链 董事 董事长 杜绝 阮氏 席位 江南 童装 颜色 梅花 林业 钟表 徐州 高价 高铁 高管 夏天 夏季 蔡司 田地 樊笼
胡说 胡椒 凌晨 霍乱 柯达 管理 管理员 莫名 经济 经销商 房子 房东 房间 应急 丁香 宣传 邓州 单号 洪水 包邮 包装 左右
石油 石头 吉林 吉祥 程序 程度 程序员 荣誉 荣幸 甄选 家人 家长 家里 家属 家庭 封面 储值 段时间 巫师 焦急 巴士 山东
山西 山区 谷歌 车主 车辆 车位 全家 班级 班长 秋天 秋季 宫廷 宁静 暴雨 祖国 武汉 符合 刘海 景区 景点 束缚 龙头 龙年
幸福 幸运 司机 黎明 薄荷 印象 宿舍 白酒 白金 白领 怀孕 怀疑 从业 索要 索赔 籍贯 赖账 蒙牛 池塘 乔迁 阴天 苍蝇 闻到
党员 申请 申请人 扶持 冉冉 雍容 桑拿 牛奶 牛肉 寿命 寿险 通讯 通行 边境 农民 农业 别人 别的 别处 晏子 柴火 充值 充电
慕名 连锁 习题 鱼缸 古董 易购 慎重 廖廖 居民 居住 居家 衡水 步行 耿直 满减 满额 弘扬 匡算 国内 国庆 国际 文章 文具
广场 广州 东西 东北 利息 利率 师傅 师生 勾选 融资 冷静 冷链 那个 那么 那天 那边 简单 简介 饶命 空调 空间 沙发 养老
养生 须知 丰富 相同 后台 红包 游客 游戏 权利 权益 益处 公众号 公民 公里
"""
NOT_NAMES = frozenset(_WORDS.split())
ENGLISH_SURE = re.compile(
    r"(?:\b(?i:my\s(?:full\s)?name(?:\sis|'s)|name\sof\s(?:the\s)?(?:recipient|customer|patient)|i'm\scalled|recipient|consignee|addressee|full\sname"
    r"|customer\sname|contact\sperson|card\s?holder|passenger|patient|guardian|signed\sby)\b|(?<![\w.-])Name)\s?[:：=]?\s?[\"']?"
    r"(?P<name>[^\W\d_][^\W\d_.'’-]{0,19}(?:[.'’-][^\W\d_]{1,19})?"
    r"(?: (?!(?i:and|i|my|from|at|on|in|is|the|with|phone|email|tel|for|to)\b)[^\W\d_][\w.'’-]{0,19}){0,3})(?![\w*])"
)
ENGLISH_TITLE = re.compile(
    r"(?<![\w.-])(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Madam)\.? {1,2}"
    r"(?P<name>[A-Z][^\W\d_]{0,19}(?:[ '’-][A-Z][^\W\d_]{0,19}){0,3})(?![\w*])"
)
ENGLISH_MAYBE = re.compile(
    r"(?<![\w.-])(?:[Ii] am|[Ii]'m|[Tt]his is|Dear|Hi|Hello|Attn:?"
    r"|[Rr]egards,|[Ss]incerely,|Customer:?|Contact:?|[Ss]hip to:?|[Dd]eliver to:?)\s{1,2}"
    r"(?P<name>[A-Z][^\W\d_]{1,19}(?:[ '’-][A-Z][^\W\d_]{1,19}){1,3})(?![\w@])"
)
_ENGLISH_WORDS = """
Customer Sir Madam Team All Support Sales Service Services User Member Client Friend Everyone Chinese English
American The Not Very Happy Sorry Sure Looking Order Number Required Field Invalid Unknown Error Company not wrong
missing misspelled spelled incorrect on in at here there this that
"""
NOT_ENGLISH_NAMES = frozenset(_ENGLISH_WORDS.split())


def chinese_names(text: str) -> Iterator[Span]:
    for pattern in (AFTER_SURE, LABELLED, CALLED, AFTER_MAYBE, BEFORE_TITLE, BEFORE_PHONE):
        for found in pattern.finditer(text):
            if not _is_a_word(found["name"]) and text[found.end("name") : found.end("name") + 1] != "*":
                yield Span(*found.span("name"), "name")


def _is_a_word(name: str) -> bool:
    return name in NOT_NAMES or name[:2] in NOT_NAMES or name[:3] in NOT_NAMES


def english_names(text: str) -> Iterator[Span]:
    for pattern in (ENGLISH_SURE, ENGLISH_TITLE, ENGLISH_MAYBE):
        for found in pattern.finditer(text):
            if found["name"].split()[0] not in NOT_ENGLISH_NAMES:
                yield Span(*found.span("name"), "name")
