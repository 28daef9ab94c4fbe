"""Sentences that the finder was never tuned on, marked as ``sentences.py`` is: [kind|text]. None of it is real.

Written before its author had read a rule of ``crm.recognisers``, measured, and then frozen: a change to a rule that is
made because of a line below turns this from evidence into one more tuning set. Put new findings into
``sentences.py`` instead. Whoever thinks a mark is wrong says so here, and leaves the mark.

How it is marked: names without titles (陈建国先生 is 陈建国; 张先生 and Mr. Li name nobody); an address from its
largest to its smallest part; a number with its country code and its extension; a place that one could not deliver to
(上海, 浦东机场) is not an address. Numbers whose check digit is wrong are marked as nothing.
"""

MARKED = """
你好我叫[name|林晓彤]，上周买的外套还没到
在吗，我是昨天下单的[name|何志强]，电话[phone|13655558241]
收货信息：[name|罗艳] [phone|15927714406] [address|湖北省武汉市洪山区珞喻路1037号韵苑公寓8栋412]
麻烦改下地址，改成[address|广东省深圳市南山区科技园南路15号金证大厦B座1902]
[name|贺敏]，[phone|18611223098]，[address|北京市朝阳区望京西园四区410号楼2单元1803室]
帮我把收件人换成我妈，[name|尤桂芳]，电话还是[phone|13100456789]
我电话[phone|幺三八二零零四七七九幺]，短信别发了直接打
手机 [phone|一五九 二二三三 七八九零]，晚上八点后方便
打[phone|188 1234 0099]找我，别打原来那个
请拨 [phone|0755-26001234 转 802] 找财务
客服让我留电话：[phone|+86-139-2200-3311]
公司座机 [phone|028-85551234]，分机找前台
我在香港，電話係[phone|+852 9123 4567]，唔該
澳门号码 [phone|+853 6612 3456] 能收短信吗
台灣手機 [phone|+886 912 345 678]
Call me on [phone|+1 415 555 0132] after six
My number is [phone|+44 20 7946 0958], ask for the front desk
reach me at [phone|(415) 555-0198] please
新加坡电话[phone|+65 8123 4567]
whatsapp [phone|+60 12-345 6789]
联系[phone|１５９００００１２３４]（全角打的不好意思）
电话:[phone|13800001111];备用:[phone|13900002222]
手机号[phone|137.0011.2233]
我号码是[phone|133 3344 5566]哈
之前留的[phone|17612345678]停机了，换成[phone|19912345678]
她电话[phone|16600001234]，微信同号
【回访】[phone|15011112222] 客户表示满意，下月再购
来电 [phone|01065881234] 未接
我是[name|郝思嘉]的家属，请联系[phone|13577889900]
短信发到086[phone|18900001111]不行吗
tel: [phone|8613600001234]
[phone|0086-21-62881234] is our office line
上面那个不是我的，我的是[phone|15300009876]
身份证[resident_id|440305199203140048]，实名用
我身份证号是 [resident_id|330106197811092714] 麻烦登记一下
证件号码：[resident_id|510107200102283328]，姓名：[name|段誉]
[name|宋佳宁]，[resident_id|11010819650701118X]，办会员卡
身份证 [resident_id|320583 19990930 6401] 有空格可以吗
id card no [resident_id|500112198712250071] for customs
清关需要身份证：[resident_id|420111200510052150]
护照和身份证[resident_id|610113197406205835]都拍了
[resident_id|370203199508179019]这个实名过不了
实名信息：[name|白洁]/[resident_id|230102195811301266]/[phone|18846001234]
小写x行吗[resident_id|11010819650701118x]
[resident_id|６５０１０２１９９００１０１４４１３]
居住证 [resident_id|810000198812120639]
孩子的身份证号[resident_id|350203201006067785]，买儿童票
身份证后面是[resident_id|120104198303030296]吧，我核对下
身份证号码[resident_id|450103197602293104]，银行卡[bank_card|6228480012345678911]
备注：客户身份证530开头，完整的是[resident_id|530102199305181272]
身份证号：[resident_id|4403 0519 9203 1400 48]
resident id [resident_id|330106-19781109-2714]
我卡号[bank_card|6225880123456783]，退这里
退款请打到工行 [bank_card|6212 2630 0123 4567 894]
招行卡[bank_card|6225-8801-2345-6783]，户名[name|方文山]
Visa [bank_card|4556 5612 3456 7890] exp 09/28
card no. [bank_card|5105231234567893], please refund
amex [bank_card|3714 496353 98431] was declined twice
农行[bank_card|6228480012345678911] 开户行南山支行
银行卡号：[bank_card|6217850123456789127]
我把卡号打全角了：[bank_card|６２２５８８０１２３４５６７８３]
JCB[bank_card|3566002020360505]能付吗
收款账号 [bank_card|6228481234567894]，收款人 [name|顾明远]
charged [bank_card|4556561234567890] and [bank_card|5105-2312-3456-7893]
打款到[bank_card|6217 8501 2345 6789 127]谢谢
信用卡[bank_card|4556561234567890]刷了两次
bank account [bank_card|6212263001234567894], name [name|Gu Mingyuan]
邮箱 [email|linxt_92@163.com]，发票发我
发到[email|hezq@foxmail.com]就行
电子发票邮箱：[email|finance.dept@shenzhen-tech.com.cn]
我的邮箱是[email|lina＠163.com]
[email|ｌｉｎａ＠ｑｑ．ｃｏｍ]这个能收到吗
qq邮箱[email|283746551@qq.com]
please email [email|o.hara@mail.example.org] instead
cc [email|a@b.co] on it
send invoice to [email|margaret.o'brien@company.ie]
contact: <[email|sven+orders@müller.de]>
mailto:[email|kim.minjun@naver.com]
写错了，是[email|liu_yang-88@outlook.com]不是gmail
邮箱[email|wang.fang@vip.sina.com]。谢谢
Email:[email|HELEN.CHOW@HKMAIL.HK]
联系人[name|蒋欣怡]，邮箱[email|jxy@stu.pku.edu.cn]，电话[phone|13426789012]
抄送[email|sales_1@acme.io]，[email|ops@acme.io]
my mail: [email|jürgen@example.de]
发[email|6688@139.com]，谢谢亲
我的邮件是 [email|zhao.liu @ gmail.com] 中间别有空格
邮箱[email|x@y.cn]可以么
发票抬头公司名，邮箱[email|tax-2024@foo-bar.net]
寄到[address|上海市静安区南京西路1601号越洋广场23楼]
送[address|杭州市西湖区文三路478号华星时代广场A座1208室]，放前台
地址是[address|四川省成都市武侯区天府大道中段1388号美年广场C座2207]
[address|江苏省苏州市工业园区星湖街328号创意产业园5栋]收
新地址：[address|重庆市渝北区龙溪街道新牌坊一路88号7-3]
家住[address|天津市和平区南京路189号津汇广场1座1505]，工作日没人
请送到[address|西安市雁塔区小寨东路126号百隆广场11层]
[address|福建省厦门市思明区湖滨南路334号二轻大厦1102单元]，[name|苏晴] [phone|13906001122]
寄回[address|浙江省义乌市福田街道银海二区36栋3单元201]
住址[address|广西壮族自治区南宁市青秀区民族大道131号航洋国际城2号楼1503]
农村的：[address|河南省周口市沈丘县付井镇李庄村3组]
[address|云南省昆明市五华区东风西路99号]，云南大学附近
地址[address|新疆维吾尔自治区乌鲁木齐市天山区光明路59号时代广场D座10E]
收货：[address|内蒙古自治区呼和浩特市赛罕区大学西街235号]
送到[address|朝阳路88号院3号楼2单元501]，门禁密码问我
放[address|学府路12号5栋203]的快递柜
家在[address|幸福小区6栋2单元302]
住[address|翠苑三区15幢401]，麻烦送上楼
香港地址：[address|香港九龍旺角彌敦道625號雅蘭中心15樓]
台湾寄件[address|台北市大安區忠孝東路四段216巷27號3樓]
ship to [address|221B Baker Street, London NW1 6XE]
deliver to [address|Room 1203, Tower B, 88 Century Avenue, Pudong, Shanghai]
my address is [address|742 Evergreen Terrace, Springfield, OR 97477]
address: [address|1600 Amphitheatre Parkway, Mountain View, CA 94043]
[address|No. 5 Yiheyuan Road, Haidian District, Beijing 100871]
搬家了，从[address|广州市天河区体育东路116号财富广场]搬到[address|广州市海珠区新港中路397号]
地址写[address|湖南省长沙市岳麓区麓山南路932号中南大学新校区学生公寓18栋525]
[address|山东省青岛市市南区香港中路76号]，[name|曲波]收
送货到[address|辽宁省大连市中山区人民路15号国际金融大厦18楼A]，联系[name|于洋][phone|13304110099]
[address|贵州省遵义市红花岗区中华南路77号附3号]谢谢
门店自提改快递：[address|安徽省合肥市蜀山区黄山路602号国家大学科技园C505]
客户[name|汪明亮]反映充电器发热
姓名：[name|范晓萱]
收件人[name|戴安娜]
收货人：[name|任我行]
联系人：[name|上官婉儿]，女
联系人 [name|慕容雪] 说周三再来
本人[name|钱学松]，申请注销会员
我叫[name|尹天仇]，是个演员
我姓贾，叫[name|贾宝宝]
我是[name|乔峰]，前天在你们店买的鞋
您好，我是[name|买买提·艾力]，想换货
顾客[name|次仁卓玛]要求开票
顾客姓名：[name|热依扎·阿里木江]
[name|迟重瑞]先生来店里取货
[name|蔡依琳]小姐的预约改到周五
[name|邓丽君]女士投诉导购态度
请[name|彭于晏]签收
经办人：[name|石磊]
回访[name|易建联]，表示尺码偏小
已通知[name|谭咏麟]取件
[name|马晓东]，男，35岁，会员三年
户名：[name|曾国华]
开户名[name|龙小云]，建设银行
签收人：[name|丁一]
法人代表[name|石破天]
家长[name|黎明]来电，孩子过敏
患者[name|江一燕]，预约洗牙
会员[name|莫小棋]生日送券
师傅叫[name|向华强]
客户叫[name|于丹]，[phone|18712340000]
我老公[name|邵帅]去取可以吗
我朋友[name|葛优]推荐的
转给[name|贝小七]处理
是[name|阮经天]本人吗
[name|瞿颖]：您好，请问到货了吗
- [name|单田芳] 13号到店
我叫[name|㛃小雨]，第一个字打不出来
收件人：[name|𡋾建华]，字库里没有
我叫[name|高兴]，真的姓高
收件人[name|黄金]，别笑，真名
My name is [name|Grace Hopper]
this is [name|Oliver Smith], order not here yet
I'm [name|Fatima Al-Sayed] and I want a refund
Dear [name|Hannah], your parcel
Mr. [name|Daniel O'Connor] called twice
Ms [name|Siobhan Walsh] wants an exchange
contact person: [name|José García]
Customer name: [name|Nguyen Van An]
recipient [name|Chan Tai Man], Kowloon
name: [name|May Wong]
Regards, [name|Thomas Müller]
signed by [name|Priya Natarajan]
My name is [name|Li Xiaolong], phone [phone|13012345678]
Hi, [name|Emma Johansson] here
微信号[account|lin_xt1992]，加我
我微信：[account|hzq-20200202]
加v：[account|xiaomei520cc]
加微信 [account|wxid_8s7df6g5h4j3k2] 发图
VX:[account|tony_stone88]
QQ号[account|283746551]
qq：[account|1029384756]，在线
薇信[account|candy7788]
微信同手机 [phone|18622334455]
支付宝账号[account|zhangyu_pay01]
车牌[plate|川A8K52Q]，停车券录一下
我的车[plate|浙B·7H663]
车号[plate|粤AD12345]绿牌
[plate|鲁F12345]挪一下车
沪牌[plate|沪C5T998]
车牌号：[plate|京QK7719]
护照号[document|E87654321]
passport [document|EJ1234567], customs asks
护照 [document|G12345678]，旧版的
港澳通行证[document|C12345678]
回乡证[document|H0123456789]
台胞证[document|01234567]
香港身份证[document|Z683365(A)]
HKID [document|C668668(9)]
passport number [document|533380006] (US)
军官证[document|南字第12345678号]
生日[birth_date|1992年3月14日]
出生日期：[birth_date|1978-11-09]
born on [birth_date|1987-12-25]
我生日是[birth_date|95年8月17日]
孩子出生于[birth_date|2019年6月1日]
DOB: [birth_date|12/25/1987]
出生年月日 [birth_date|19831203]
我的ip是[ip|113.88.14.205]，打不开网页
from [ip|2001:db8:85a3::8a2e:370:7334] got 403
登录ip：[ip|203.0.113.77]
IMEI [imei|490154203237518] 保修查询
串号[imei|356938035643809]
我在[position|22.543096, 114.057865]，骑手找不到
定位 [position|30.274085,120.155070]
location: [position|-33.868820, 151.209290]
openid是[openid|oX4bT5v9QmRk2Lw8Zn6Hj3Pd7Fsa]
openid=[openid|o6_bmjrPTlm6_2sgVt7hMZOPfL2M] 没收到推送
密码是[secret|Lin@1992xt]，帮我登一下
password: [secret|hunter2hunter2]
验证码[secret|482913]不对
短信验证码是[secret|660218]
[name|温碧霞]，身份证号 [resident_id|310104200605112030]，学生优惠
[resident_id|440106197004279633]是我爸的，帮他注册
登记：[name|卢婉清] [resident_id|350102196205169762] [phone|18060012233]
实名认证提交了[resident_id|510104199010081492]，一直审核中
身份证：330开头那个错了，应该是[resident_id|330203199011225131]
退休证上写的[resident_id|42010619550501856X]
报关用身份证[resident_id|610102198603268339]发你
证件[resident_id|370102196709273989]，有效期到2031年
我和我老公的身份证[resident_id|320106196606111211]、[resident_id|230103196009252672]
客户身份证号[resident_id|650104198908072329]已脱敏前录入
my ID number is [resident_id|130102196702038666]
idcard=[resident_id|140105196712189231]&from=app
{"id_no": "[resident_id|210102198310235520]"}
卡 [bank_card|6217001135119718143] 建行
提现到[bank_card|6222027815806998336]，工行
交行 6222 开头不是，是[bank_card|6216619762600070563]中行
[bank_card|6225 8014 8970 7122]，持卡人[name|骆宾王]
我用[bank_card|6259124810756901]分期
Payment card [bank_card|4012 8807 2003 1718] charged 3 times
mastercard [bank_card|5454546712343120]
邮政卡号:[bank_card|6221502200386996784]
新卡[bank_card|6217994917964844739]已绑定
兴业[bank_card|622909097100201184]
{"card": "[bank_card|6214838636441851]"}
[bank_card|3566-0031-6216-4770] JCB
发我[email|chenxi.1990@icloud.com]
邮箱换成[email|wh_zhang@sjtu.edu.cn]了
[email|no-reply+7@shop.example.com] 退信
{"email": "[email|tina_08@live.cn]", "ok": true}
联系[email|marketing@品牌.网址]合作
Email = [email|BOB@EXAMPLE.ORG];
to: [email|first.last@sub.domain.example.com], urgent
邮箱地址[email|1@qq.com]
我邮箱[email|yu-tian@126.com]，电话[phone|14712345670]
[email|lucy%promo@example.net] bounced
wechat pay 收据发 [email|ming.li＠gmail．com]
电话[phone|17100008888]，[name|裴勇俊]
手机尾号不对，应该是[phone|13811114444]
[phone|19800001234]这个号能查到订单吗
{"phone": "[phone|15500006666]"}
phone=[phone|13466668888]&sms=1
我现在用的是[phone|一八六 零零一一 二二三三]
号码是[phone|壹叁玖壹贰叁肆伍陆柒捌]
[phone|幺八六幺二三四五六七八]，记一下
[phone|186 1111 2222]/[phone|186 1111 3333] 都行
座机[phone|0571 8765 4321]
办公室 [phone|(0755)8321-1234]
[phone|010-6552-9988-8012] 转人工
Phone: [phone|+852-2345-6789]
电话 [phone|+86 (21) 6288 1234]
收货人[name|毕福剑]，电话[phone|13700003333]，地址[address|河北省石家庄市裕华区槐安东路162号绿源小区3号楼1单元1101]
退货人：[name|佟大为]
提货人[name|祝英台]已核身份
申请人 [name|穆青青]
投诉人：[name|柯景腾]，诉求退一赔三
[name|伊能静]（会员号 88231）要求注销
@[name|单小双] 的订单帮忙催下
麻烦转告[name|郭敬明]女士
导购[name|霍思燕]服务很好，表扬
机主[name|巫启贤]，话费充错
新娘[name|夏紫薇]，新郎[name|福尔康]
老师[name|季羡林]定了三套
"""

NOTHING = """
订单号202411221688001234，什么时候发
运单号SF1390012345678，显示签收了
快递单号 78001234567890 查不到
圆通YT8800012345678到哪了
JD0123456789012 还没更新
中通 75312345678901
EMS 1234567890123 退回了
iPhone 15 1688元能便宜吗
iPhone 15 Pro 256G 8999
华为 Mate60 Pro 12+512 原价6999
小米14 Ultra 什么时候补货
货号 13800138 还有M码吗
款号A20241122，38码
SKU 6901234567892 断货
条形码6921168509256扫不出来
编号440305199203140041看不到
编码 330106197811092711 查不到产品
批次510107200102283321过期了吗
流水号11010819650701118
18位的420111200510052151是防伪码
交易号 4200002145202411223344556677
支付流水 2024112222001412345678901234
商户单号1000039801202411221234567890
卡面印的6225880123456784不对
1234567890123456是测试数据
序列号 C02XK0ABJGH5
型号 WH-1000XM5
版本 v2.13.800138
build 20241122.1380
价格1380到1880之间
128元减18，满188再减30
3800×2=7600
总共 13,800,138.00 元
余额：￥6225.88
尺寸 180×200×22 cm
保质期2024-11-22到2026-11-22
2024年11月22日下单
活动11月11日0点到11月12日24点
预计12月3日送达
11/22 到货，12/25 活动结束
生产日期20240314
下午3点30分到5点
5-7天发货
第20241122期
1-2-3-4
比分 3:2，时间 90:00
12306 买票
打12315投诉你们
10086 客服说没问题
拨打400-820-8820没人接
客服电话95588一直占线
110和120都打了
我很高兴收到礼物
黄金手链多少克
高兴得跳起来
五一有没有活动
May I return it next week
I will pay in May
Grace period is 7 days
Will you ship on Sunday
Mark it as done please
Bill me later
Faith and Hope are colours of this line
the Rose gold one
Jack Daniels 700ml
Calvin Klein 内裤
Tommy Hilfiger 打折吗
Hugo Boss 西装
李宁的鞋跑步行吗
安踏和李宁哪个好
王老吉一箱多少
张裕干红
老干妈还有吗
康师傅红烧牛肉面
周大福金价今天多少
周黑鸭保质期几天
马应龙有货吗
同仁堂的阿胶
白云山板蓝根
海底捞优惠券
江南布衣上新了
方便面一箱24包
方案不错
高跟鞋磨脚
黄色还是白色好看
白色的有吗
金色款没货了
钱什么时候退
石头剪刀布
马克杯碎了
花瓶裂了
孔雀蓝的那件
安全带松了
常温保存吗
平时穿40码
严重掉色
温度调不下来
万一不合适呢
鲁菜馆推荐一下
苏打水一箱
汤太咸了
余下的什么时候发
于是我就退货了
成都有门店吗
上海仓还是广州仓发货
浦东机场店几点关门
北京能次日达吗
发货地是浙江吗
送到小区门口就行
路上堵车
这条路不好走
楼下超市有卖
号码太大了
3楼女装部
B1层停车场收费吗
2号线怎么走
5号楼在哪边
一号店还在吗
双十一开门红
三八节有活动吗
七七八八都买了
一二三四五六七
九九八十一
一生一世一双人
五百二十一元
零零后喜欢的
您好，请问在吗
亲，包邮吗
谢谢老板
什么时候有货呀
能不能开发票
发票抬头怎么写
我要退货
质量太差了，再也不买了
很满意，五星好评
物流太慢
颜色和图片不一样
在线等，挺急的
微信号怎么绑定
加微信有红包吗
支付宝付不了
邮箱收不到验证码
身份证要原件吗
护照可以买免税品吗
车牌识别停车场
银行卡付款优惠吗
生日有什么优惠
我是老客户了
我是新会员
我叫了外卖
我是在抖音看到的
我是不是可以退
收件人不在家
联系人改不了
姓名能改吗
本人签收吗
张先生您好
李女士已回访
王总说下周定
陈姐在吗
小王去仓库了
老李下班了
Mr. Li will call back
how much is shipping
where is my parcel
the blue one in size 42
10% off with code SAVE10
order #20241122-1688
tracking 1Z999AA10123456784
UPS says 9400 1000 0000 0000 0000 00
ISBN 978-7-302-51276-9
ETA 2024-12-03 14:30:00
version 10.0.19045.3693
error 0x80070005
ratio 16:9, 4K 120Hz
CPU i7-13800H 32GB
@小助手 帮忙看下
@all 今天盘点
买3送1，第2件5折
A4纸5包
12V 2A 充电器
5000mAh
T恤 175/96A
京东自营
沪上阿姨加盟
粤菜馆
川香麻辣鸡
苏泊尔锅
鲁花花生油
浙江卫视同款
gmail 登录不了
qq邮箱收不到
example.com 打不开
www.zhiyin.example/p/13800
访问127.0.0.1失败
电压220.5
经度怎么填
100.5, 200.3 这两个价
3.14159, 2.71828
"""
