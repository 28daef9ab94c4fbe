import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What models found is called clusters in the API from now on; segments are those of campaigns.
RENAME = "UPDATE config_apiaccess SET scopes = array_replace(scopes, 'segments:read', 'clusters:read')"
BACK = "UPDATE config_apiaccess SET scopes = array_replace(scopes, 'clusters:read', 'segments:read')"


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('config', '0002_epochs'),
    ]

    operations = [
        migrations.RunSQL(RENAME, BACK),
        migrations.AddField(
            model_name='apiaccess',
            name='agreed_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='may act for'),
        ),
        migrations.AddField(
            model_name='apiaccess',
            name='agreed_scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, editable=False, size=None, verbose_name='agreed scopes'),
        ),
    ]
