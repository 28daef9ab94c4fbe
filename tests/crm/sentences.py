"""What customers write and staff note, with the personal data marked: [kind|text]. Written by hand, none of it real.

Many sentences have none: order numbers, prices, versions and words like names are what a finder errs on.
"""

MARKED = """
我叫[name|张小明]，手机号是[phone|13800138000]，麻烦尽快发货
你好，我是[name|李娜]，订单号20231113800138000一直没有更新
收件人：[name|欧阳娜娜]，电话[phone|13912345678]，地址：[address|上海市浦东新区世纪大道100号2栋301室]
姓名[name|王伟] 身份证[resident_id|11010519491231002X]
身份证号码是[resident_id|11010519491231002x]，请核对
旧身份证[resident_id|110105491231002]还能用吗
证件号：[resident_id|310115198506123519]
我的电话[phone|１３８００１３８０００]打不通的话加我微信号：[account|xiaoming_1988]
电话是[phone|１３８００１３８０００]
请打[phone|138-0013-8000]或者[phone|138 0013 8001]
[phone|+86 138 0013 8000]是我的新号码
[phone|+8613800138000] 请记录
[phone|008613800138000]也可以联系我
座机[phone|021-58881234]，上班时间都在
座机[phone|(010)62345678]
我的号码[phone|一三八零零一三八零零零]，不对，是[phone|一三九一二三四五六七八]
邮箱[email|zhangsan@qq.com]，发票发过去
请发到[email|Li.Na+shop@example.co.uk]谢谢
email me at [email|anna.li@example.com] please
邮箱是[email|王伟@例子.中国]
卡号[bank_card|6222021234567894]退款到这里
退到 [bank_card|6222 0212 3456 7894] 就行
my card [bank_card|4111111111111111] was charged twice
card [bank_card|4111-1111-1111-1111] declined
[bank_card|378282246310005] is my Amex
车牌[plate|沪A12345]停在门口
车牌号[plate|粤B·D12345]，新能源
我开[plate|京N8P8F8]过去取
他从[ip|203.0.113.77]登录的
client [ip|2001:db8:85a3::8a2e:370:7334] connected
openid是[openid|oUpF8uMuAJO_M2pxb1Q9zNjWeS6o]的用户投诉
用户[openid|oGZUI0egBJY1zhBYw2KhdUfwVJJE]取消关注
加我微信号[account|wxid_abc12345]聊
wechat id: [account|annali_2020]
QQ号[account|123456789]也行
护照号码[document|E12345678]
passport no. [document|EA1234567] was scanned
港澳通行证[document|H12345678]
台胞证号[document|12345678]办理入住
香港身份证[document|A123456(3)]
生日[birth_date|1990年3月7日]想要礼物
出生日期：[birth_date|1985-06-12]
my birthday is [birth_date|1990-03-07]
IMEI: [imei|490154203237518]
定位在[position|31.230416, 121.473701]附近
纬度：[position|31.230416]
我家住在[address|北京市海淀区中关村大街27号]，门口有保安
送到[address|广东省深圳市南山区科苑路15号科兴科学园A栋2单元]，谢谢
地址：[address|浙江省杭州市西湖区文三路398号]
寄到[address|江苏省苏州市工业园区星湖街328号]吧
住在[address|成都市武侯区天府大道中段1388号]
快递放[address|南京西路1266号恒隆广场]前台
I live at [address|221B Baker Street, London]
ship to [address|1600 Amphitheatre Parkway] please
deliver it to [address|350 Fifth Avenue, Apt 12] thanks
My name is [name|Anna Li] and I need a refund
my name is [name|zhang wei], order 88213
Dear [name|John Smith], thank you
Mr. [name|Robert Brown] called again
Mrs [name|O'Neill] wants to cancel
This is [name|Maria Garcia] from the shop
I am [name|Peter Müller], please call
Recipient: [name|Jane Doe], phone [phone|+1 415 555 2671]
call me at [phone|415-555-2671]
phone: [phone|02079460958]
我叫[name|阿迪力·买买提]，想改地址
收货人：[name|迪丽热巴·迪力木拉提]
我叫[name|𠮷田明]，请改一下
联系人：[name|司马光]，[phone|13712345678]
[name|陈建国]先生您好
请转告[name|刘芳]女士
尊敬的[name|赵敏]，您好
客户[name|孙丽]来电投诉
本人[name|周杰]，申请退款
持卡人：[name|吴刚]
监护人[name|郑爽]已同意
患者[name|冯小刚]复诊
我是[name|陈晨]的妈妈
这是[name|黄磊]的号码[phone|18612345678]
我的名字是[name|诸葛亮]
寄件人：[name|徐静蕾]，[phone|15812345678]
本人叫[name|马云]，手机[phone|17712345678]
token=[secret|a8Fk2mQ9sLx7TzR4] leaked
Authorization: Bearer [secret|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF123]
password: [secret|hunter2!]
密码是[secret|abc12345]，别告诉别人
write_key=[secret|Zx81kLmN0pQrStUv]
link /p/[secret|eyJwIjo0Mn0:1tXyZ0:abcdefGHIJKL] sent
{"phone": "[phone|13800138000]", "city": "上海"}
{"email": "[email|zhang@qq.com]", "openid": "[openid|oUpF8uMuAJO_M2pxb1Q9zNjWeS6o]"}
{"full_name": "[name|Anna Li]", "tier": "gold"}
first_name=[name|Anna]&tier=gold
手机：[phone|19912345678]，验证码[secret|482913]不对
我女儿叫小明，她的身份证[resident_id|510107200104150033]
外国人永居证[resident_id|931022199001011237]
港澳居民居住证[resident_id|810000198808081278]
打[phone|13800138000]，别打公司的
号码写成[phone|138.0013.8000]了
微信同号[phone|13666666666]
（[phone|13700001111]）
请回电[phone|16612345678]。
联系不上[phone|19112345678]！
我爸[phone|13511112222]，我妈[phone|13511113333]
登录IP：[ip|58.247.1.20]
Kundin: Frau Schmidt, Tel. [phone|+49 30 901820]
电话[phone|+852 2123 4567]
[phone|+81 3-1234-5678] from Tokyo
请把发票寄到[email|caiwu@acme-shop.cn]，抬头同上
老家在[address|湖南省长沙市岳麓区麓山南路932号]
新地址[address|天津市和平区南京路189号津汇广场2座1501室]
搬到[address|重庆市渝中区解放碑步行街88号]了
小名叫豆豆，大名[name|何炅]
快递员说[name|韩梅梅]签收的
昨天[name|林志玲]打来电话
[name|高圆圆] [phone|13800000000]
张三和李四都来了
付款人[name|杜鹃]，款已转
经办[name|夏雨]，已盖章
紧急联系人：[name|柳如是] [phone|13711112222]
订购人[name|安然]要求改地址
取件人是[name|宋江]，凭码取
负责人[name|武松]下周到岗
我姐[name|秦可卿]来拿
老公[name|卢俊义]代签可以吗
我同事[name|林冲]也要一份
请联系[name|史湘云]
请转告[name|贾探春]，款式有货
已联系[name|李纨]确认
教练[name|鲁智深]周五有课
店长[name|王熙凤]已处理
[name|迟小秋]女士要退卡
[name|贾元春]，[phone|13812344321]，[address|江苏省南京市玄武区中山东路301号5栋802]
[phone|13812344321]，[name|妙玉]
[name|晴雯]/女/22岁
[name|薛宝钗]，女，会员两年
[name|平儿]：您好，在吗
昨天来的[name|花荣]，电话[phone|18611110000]
登记信息：[name|柴进] [resident_id|11010519491231002X]
[address|浙江省宁波市海曙区中山西路2号]，[name|徐宁]收
我叫[name|白云]，微信[account|baiyun_0909]
@[name|史进] 看一下
是[name|杨志]本人吗
Dear [name|Sophie], we shipped it
Hi [name|Marco], any news?
name: [name|Lucas Moreau]
payee [name|Ingrid Bergman]
Hi, [name|Noah Weber] here again
cardholder name [name|Aisha Khan]
手机[phone|一三九 零零一一 四五六七]
座机[phone|0755 2600 1234]
传真[phone|(021)6288-4567]
总机[phone|010-65001234转8012]
公司电话[phone|021-62881234-605]
回电[phone|02162884567]就行
call [phone|(212) 555-0147] today
证件[resident_id|1101 0519 4912 3100 2X]
身份证：后四位对不上
邮箱是[email|wang.wu @ 163.com]
mail [email|josé@correo.es]
给[email|李雷@公司.网络]发
支付宝[account|paopao_99]
生日[birth_date|88年2月3日]
军官证[document|军字第1234567号]
送[address|南京市鼓楼区中山北路30号城市名人酒店12楼]
改成[address|深圳市福田区深南大道6008号特区报业大厦A座1801]
新地址：[address|重庆市南岸区南坪西路2号5-12]
寄[address|武汉市江汉区解放大道688号武汉广场写字楼C座18F]
放[address|文昌路8号3栋102]的门口
[address|台北市信義區松壽路12號6樓]
[address|香港九龍尖沙咀廣東道30號海港城5樓]
从[address|成都市锦江区春熙路1号]搬到[address|成都市高新区天府大道北段1700号]
[address|安徽省芜湖市镜湖区北京中路7号侨鸿国际B座1206]
ship to [address|Flat 4, 10 Downing Street, London SW1A 2AA]
address: [address|350 Fifth Avenue, New York, NY 10118]
[address|No. 10 Jianguomen Street, Chaoyang District, Beijing 100022]
"""

NOTHING = """
订单号20231113800138000什么时候发货
运单号：75312345678901，显示已签收
流水号4200001234202311131234567890
商品编号13800138000有货吗
订单13812345678已取消
SKU 13912345678 is out of stock
tracking number 13812345678 not found
invoice no. 4111111111111112
共消费13800元，满减后12800元
版本1.2.3.4已发布
version 10.0.0.1 fixes this
我是白天上班，晚上在家
我是高中生，有优惠吗
我是安卓用户，打不开
客户经理说可以
会员卡怎么办理
请问路由器怎么安装
这是黄金会员的价格吗
这是红色的吗
我是江苏的，包邮吗
客户满意度调查
用户成功登录
平时都是这个价格
我在上海，什么时候到
上海市的门店有几家
广东省的运费是多少
上楼梯三楼右转
这个小区不错
5号发货可以吗
3号店在哪里
12号楼下等我
满200减30，仅限今天
2023-11-13 10:20:30 下单
10:20:30 还没到
下午3:45之前送达
温度23.456度
比例 0.123, 0.456
价格12.50, 13.80
尺寸 31.2 x 12.1
The order was placed on 2023-11-13
I am happy with the service
This is great, thank you
Dear Customer, your parcel is here
Dear Sir or Madam
I'm not sure what happened
Hello there, any news?
Call me tomorrow
Please send the invoice
My phone is broken
My name is not on the list
The tracking page is down
call us between 9 and 18
std::vector<int> x;
127.0.0.1 is this machine
::1 is this machine too
0e1b2c3d-1380-4138-8000-138001380001
9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
job 13800 finished in 138.001 s
error 500 at line 1380
rows 1-50 of 13800
epoch 1700000000 and 1700000000123
chapter 12-34-56
ISBN 978-7-111-12345-6
EAN 6901234567892
积分6222分
微信支付失败
微信里怎么领券
手机壳有吗
电话打不通
邮箱收不到
地址填错了怎么改
姓名可以改吗
身份证要带吗
生日有礼物吗
密码忘记了怎么办
验证码收不到
token expired
the password was wrong
a@b is not an address
@everyone look
price @ 12.50
1 @ 2.com pack
one-of-the-most-popular-products-here
组织机构代码12345678-9
统一社会信用代码91310000MA1K35XY0L
股票代码600519涨了
电影1917好看
1949年建国
24小时客服
先生您好
女士优先
老师你好
张三丰太极拳教程
王者荣耀皮肤
李子多少钱一斤
马上到
金额不对
周末营业吗
文件打不开
项目进度如何
方案发我一下
安全吗
时间太长了
水果新鲜吗
石家庄能送吗
万一坏了怎么办
路由192.168.1.0/24
百分之30
一共13件，8折
第100号
买了3栋积木
三生三世十里桃花
A1234567B is the batch
the car has 4 doors
请尽快发货
请问还有别的颜色吗
请安排上门取件
请严格按照说明使用
请万分小心轻放
找了半天没找到
找人代付可以吗
联系不上快递员
联系方式变了怎么改
通知我一下到货时间
已通知仓库打包
转给财务处理
提醒我付尾款
老师推荐的这款
家长会员怎么办
店长推荐什么
车主优惠还有吗
妈妈节有活动吗
儿子穿几码合适
女儿很喜欢
朋友都说好用
师傅什么时候上门
导购态度好
我叫不到车
我叫外卖到店
叫什么名字来着
是不是假货
是金色吗
是平底吗
姓名和电话写错了
姓名要写全
收件人要改
申请人是谁
经办人盖章
负责人不在
付款方式有哪些
送到楼下
送到门口就好
寄到付可以吗
放在前台
住在附近
从上海发货吗
改成蓝色
写错了
0086开头的订单查不到
参数(220) 555
2 @ 15.8 each
3 @ 5 off
12@34
第12批 第3组
3楼到5楼是女装
88号技师
2号楼有电梯吗
路上要5号左右
大学生优惠
同事和同学都买了
高兴，太高兴了
白云，蓝天
黄金，白银
女，可以穿吗
Dear customer, thank you
Hi there, is it in stock
Hi team, please check
name: required
May I ask
收款人不一致
常用地址怎么删
销售额多少
顾问费多少
业主群怎么进
学生证可以吗
"""
