"""Names of people, known by the words around them."""

import re
from collections.abc import Iterator

from crm.chinese_names import COMMON_SURNAMES, COMPOUND_SURNAMES, GIVEN_CHARACTERS, SURNAMES
from crm.recognisers import Span

HAN = r"[\u3400-\u9fff\U00020000-\U0003ffff]"
# What follows a name, and would else pass for its last character.
AFTER = (
    "电话|手机|住|今年|的|是|在|身份|微信|邮|地址|想|要|来自|女|男|已|了|吗|呢|吧|和|与|跟|你|您|我|他|她|先生|女士|小姐|太太|老师|同学|经理|律师|医生|师傅"
    "|来电|来访|致电|打来|签收|说|收|寄|给|请|有|订|买|反映|投诉|年龄|性别|生日|出生|從|从|，|。"
    "|要求|要|取|来|到|去|表示|申请|预约|推荐|帮|代|同意|确认|处理|负责|咨询|本人|这边|那边|喜欢|换|退|填|做|打|回|约|问|定了|服务|下周|上周|下午|上午|周[一二三四五六日末]|也|都|就|还|把|被|对|用|先|刚才|刚刚|没|不"
)
SURNAME = f"(?:{'|'.join(sorted(COMPOUND_SURNAMES))}|[{''.join(sorted(SURNAMES))}])"
# Surnames that are everyday words first: names only where a name is sure to come.
WORDLY = frozenset("和代归有空后相都从能应却所且盖全平常单权")
LIKELY = f"(?:{'|'.join(sorted(COMPOUND_SURNAMES))}|[{''.join(sorted(SURNAMES - WORDLY))}])"
GIVEN = f"(?:(?!{AFTER}){HAN}){{1,2}}"
CHINESE = f"{SURNAME}{GIVEN}"
GIVEN_CLASS = f"[{''.join(sorted(GIVEN_CHARACTERS))}]"
COMMON = f"(?:{'|'.join(sorted(COMPOUND_SURNAMES))}|[{''.join(sorted(COMMON_SURNAMES))}])"
LIKELY_CHINESE = f"(?:{COMMON}{GIVEN}|{LIKELY}{GIVEN_CLASS}{{1,2}})"
JOINED = f"{HAN}{{1,10}}(?:[·•‧・]{HAN}{{1,10}}){{1,4}}"
# Words after which a name is sure to come, and words after which it may.
SURE = (
    "我叫|我的名字是|我的名字叫|我名字是|名字是|名字叫|本人叫|姓名|真名|收件人|收货人|收貨人|联系人|聯絡人|寄件人|取件人|持卡人|开户名|户名|客户名|客户姓名|投保人|被保险人"
    "|法定代表人|监护人|患者|乘客|旅客|买家|卖家|顾客"
    "|收款人|付款人|签收人|经办人|联络人|申请人|投诉人|退货人|提货人|发件人|领取人|代领人|预订人|预约人|订购人|购买人|委托人|承租人|出租人"
    "|负责人|代理人|受益人|推荐人|介绍人|担保人|登记人|紧急联系人|法人代表|法人|机主|户主|(?<!小)名叫|名字叫做|客户叫|大名|全名|署名|落款"
)
MAYBE = (
    "我是|本人|这是|客户|会员|用户|尊敬的|亲爱的|致|联系|通知|转告|转给|交给|回访|邀请|提醒|回复|来自|师傅|老师|家长|店长|导购|店员|销售|顾问|教练"
    "|业主|车主|房东|住户|同事|同学|学生|病人|新娘|新郎|嘉宾|老公|老婆|丈夫|妻子|妈妈|爸爸|母亲|父亲|我妈|我爸|儿子|女儿|哥哥|姐姐|弟弟|妹妹|朋友|闺蜜"
    "|经办|我姐|我哥|我弟|我妹|爷爷|奶奶|外公|外婆|阿姨|叔叔|请|找|叫|@"
)
GAP = r"[\s:：=为是叫\"']{0,4}"
LOOSE_GAP = r"[\s:：=为是叫,，\"']{0,4}"
END = r"[\s,，。.!！?？;；、)）(（:：/|\"'\d]|$"
# What stands beside a name in a list or a form: whose it is, how to reach them, who they are.
BESIDE = (
    r"[\s,，、;；:：/|-]{1,3}(?:\+?86)?1[3-9]\d{9}(?!\d)|[\s,，、;；:：/|-]{1,3}[1-9]\d{16}[\dXx](?![\dA-Za-z])"
    r"|[\s,，、;；:：/|-]{0,3}(?:的)?(?:身份证|电话|手机|联系方式|联系电话|微信|护照)|[\s,，、/|]{1,2}(?:男|女)(?![\u3400-\u9fff])"
    r"|[\s,，、/|]{1,2}\d{1,3}岁|[:：]\s?(?:您好|你好|亲)|[（(](?:会员|男|女|本人|工号|VIP|\d)|[,，]\s?(?:您好|你好)"
)
AFTER_SURE = re.compile(
    f"(?:{SURE})(?:{GAP}(?P<name>{JOINED}|{LIKELY_CHINESE})|[\\s:：=为是叫]{{1,4}}(?P<said>{CHINESE}))"
)
AFTER_MAYBE = re.compile(rf"(?:{MAYBE}){LOOSE_GAP}(?P<name>{JOINED}|{LIKELY_CHINESE})(?={END}|{AFTER})")
BEFORE_TITLE = re.compile(f"(?P<name>{SURNAME}(?:(?!{AFTER}){HAN}){{1,2}}?)(?=先生|女士|小姐|太太)")
STANDING_ALONE = re.compile(rf"(?:(?<!{HAN})|(?<=[的是叫为]))(?P<name>{LIKELY_CHINESE})(?={BESIDE})")
AFTER_PHONE = re.compile(
    rf"(?<![\d])(?:\+?86)?1[3-9]\d{{9}}[\s,，、/|-]{{1,3}}(?P<name>{JOINED}|{LIKELY_CHINESE})(?={END}|收)"
)
RECIPIENT = re.compile(rf"[,，、\s\d](?P<name>{LIKELY_CHINESE})(?=收(?:[\s,，。;；]|$))")
IS_IT = re.compile(rf"是(?P<name>{LIKELY_CHINESE})(?=本人|吗|女士|先生)")
# Nothing says that a name comes: a common surname, characters of given names, and words that people stand between.
LEFT = (
    rf"(?:(?<!{HAN})|(?<=[的是给跟和与或让由被向对为叫找请台员户师说写我你他她付送名人方达妈爸姐哥弟妹])"
    "|(?<=昨天|今天|刚才|客户|客人|早上|下午))"
)
RIGHT = rf"{END}|{AFTER}|跟|和|与|或|亲|个人|今|昨|明|前|后|又|再|没|不|那|这|先|的|之|君"
UNANNOUNCED = re.compile(rf"{LEFT}(?P<name>{COMMON}{GIVEN_CLASS}{{2}}|{COMMON}{GIVEN_CLASS})(?={RIGHT})")
LABELLED = re.compile(rf"(?:{SURE}|名字)\s?[:：=]\s?[\"']?(?P<name>{HAN}{{2,4}})(?=[\s,，。;；\"'）)\d/]|$)")
CALLED = re.compile(
    rf"(?:我叫|(?<!小)名叫|大名|全名)(?![不了过个我你他她它谁什来外快滴车人])[\s:：=为是叫]{{0,3}}(?P<name>{HAN}{{2,4}}?)(?=[\s,，。;；、]|$)"
)
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
养生 安静 白云 白银 方式 盖章 签字 费多 路径 步长 归属 标识 单笔 单品 单件 石膏 花朵 花束 花样 马尾 须知 丰富 相同
后台 红包 游客 游戏 权利 权益 益处 公众号 公民 公里
"""
NOT_NAMES = frozenset(_WORDS.split())
ENGLISH_SURE = re.compile(
    r"(?:\b(?i:my\s(?:full\s)?name(?:\sis|'s)|name\sof\s(?:the\s)?(?:recipient|customer|patient)|i'm\scalled|recipient|consignee|addressee"
    r"|full\sname"
    r"|customer\sname|contact\sperson|card\s?holder(?:\sname)?|payee|payer|beneficiary|account\sname|buyer|sender"
    r"|passenger|patient|guardian|signed\sby)\b|(?<![\w.-])Name"
    r"|(?<![\w.-])(?i:name)(?=\s?[:：]?\s?[A-Z][a-z]+ [A-Z][a-z]))\s?[:：=]?\s?[\"']?"
    r"(?P<name>[^\W\d_][^\W\d_.'’-]{0,19}(?:[.'’-][^\W\d_]{1,19})?"
    r"(?: (?!(?i:and|i|my|from|at|on|in|is|the|with|phone|email|tel|for|to)\b)[^\W\d_][\w.'’-]{0,19}){0,3})(?![\w*])"
)
ENGLISH_TITLE = re.compile(
    r"(?<![\w.-])(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Madam)\.? {1,2}"
    r"(?P<name>[A-Z][^\W\d_]{0,19}(?:[ '’-][A-Z][^\W\d_]{0,19}){0,3})(?![\w*])"
)
ENGLISH_MAYBE = re.compile(
    r"(?<![\w.-])(?:[Ii] am|[Ii]'m|[Tt]his is|Dear|Hi,?|Hello,?|Attn:?"
    r"|[Rr]egards,|[Ss]incerely,|Customer:?|Contact:?|[Ss]hip to:?|[Dd]eliver to:?)\s{1,2}"
    r"(?P<name>[A-Z][^\W\d_]{1,19}(?:[ '’-][A-Z][^\W\d_]{1,19}){1,3})(?![\w@])"
)
_ENGLISH_WORDS = """
Customer Sir Madam Team All Support Sales Service Services User Member Client Friend Everyone Chinese English Mr
Mrs Ms Dr Miss Prof Hong New United Great South North East West Customer Black Double Singles Christmas Gift
Free Express Apple Google Jack Calvin Tommy Hugo Monday Tuesday Wednesday Thursday Friday Saturday Sunday
January February March April June July August September October November December American Guys Folks Friends
Colleague Colleagues Valued Store Shop Admin Seller Buyer The Not Very Happy Sorry Sure Looking Order Number
Required Field Invalid Unknown Error Company not wrong missing misspelled spelled incorrect on in at here there
this that
"""
ENGLISH_GREETED = re.compile(r"(?<![\w.-])(?:Dear|Hi|Hello) (?P<name>[A-Z][a-zà-ÿ]{1,19})(?=[,!，！])")
# Nothing but two capitals side by side, after a word that people stand behind or before what people do.
ENGLISH_PAIR = r"(?P<name>[A-Z][a-zà-ÿ'’-]{1,19} [A-Z][\wà-ÿ'’-]{1,19})"
ENGLISH_BESIDE = re.compile(
    rf"(?<![\w.-])(?i:for|to|from|by|thanks,|cheers,|best,|customer|client|told|gave|ask)\s{ENGLISH_PAIR}(?=[\s,.!?;]|$)"
)
ENGLISH_DOING = re.compile(
    rf"(?<![\w.-]){ENGLISH_PAIR}"
    r"(?= (?:phoned|called|asked|wants|wrote|said|complained|returned|ordered|bought|needs|signed|is asking|has)\b)"
)
NOT_ENGLISH_NAMES = frozenset(_ENGLISH_WORDS.split())


PATTERNS = (
    LABELLED,
    AFTER_SURE,
    CALLED,
    AFTER_MAYBE,
    BEFORE_TITLE,
    STANDING_ALONE,
    AFTER_PHONE,
    RECIPIENT,
    IS_IT,
    UNANNOUNCED,
)


def chinese_names(text: str) -> Iterator[Span]:
    for pattern in PATTERNS:
        for found in pattern.finditer(text):
            group = found.lastgroup or "name"
            if not _is_a_word(found[group]) and text[found.end(group) : found.end(group) + 1] != "*":
                yield Span(*found.span(group), "name")


def _is_a_word(name: str) -> bool:
    return name in NOT_NAMES or name[:2] in NOT_NAMES or name[:3] in NOT_NAMES


def english_names(text: str) -> Iterator[Span]:
    for pattern in (ENGLISH_SURE, ENGLISH_TITLE, ENGLISH_MAYBE, ENGLISH_GREETED, ENGLISH_BESIDE, ENGLISH_DOING):
        for found in pattern.finditer(text):
            if found["name"].split()[0] not in NOT_ENGLISH_NAMES:
                yield Span(*found.span("name"), "name")
