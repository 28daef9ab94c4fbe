"""Every consent event names the first one of its profile and purpose; nobody has recorded consents before this."""

from uuid import UUID

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crm", "0010_details_of_requests")]

    operations = [
        migrations.AddField(
            model_name="consentevent",
            name="thread",
            field=models.UUIDField(db_index=True, default=UUID(int=0), editable=False, verbose_name="thread"),
            preserve_default=False,
        ),
    ]
